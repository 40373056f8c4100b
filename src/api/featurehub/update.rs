//! `PUT /features/{key}/{feature}`: the test client changes a value or a lock (featurehub.md §6).

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::failure::Failure;
use super::keys::named;
use crate::admin::scope;
use crate::admin::test_updates::{self, TestUpdate};
use crate::api::request::AnyBody;
use crate::app::{Actor, App};
use crate::auth::extract::{address, admit};
use crate::blocking::block;
use crate::engine::snapshot::Status;
use crate::store;

/// 201 when something changed, 200 when it was so already.
pub async fn update(app: Data<App>, req: HttpRequest, body: AnyBody) -> Result<HttpResponse, Failure> {
    let path = req.uri().path().strip_prefix("/features/").unwrap_or_default();
    let named = match named(path) {
        Some(named) => named,
        // Malformed in the form of one segment it is 400, in the others 404.
        None if path.matches('/').count() == 1 => return Err(Failure::bad("this key is malformed")),
        None => return Err(Failure::not_found("this key is malformed")),
    };
    let token = named.key.find(&app).ok_or_else(|| Failure::not_found("this key is not known"))?;
    let client = admit(&app, req.head(), token)?;
    let token = client.token;
    let snapshot = token.environment.snapshot();
    if snapshot.info.status == Status::Archived {
        return Err(Failure::not_found("this environment is archived"));
    }
    if snapshot.feature(&named.feature).is_none() {
        return Err(Failure::not_found(format!("the feature {} does not exist", named.feature)));
    }
    let update = std::str::from_utf8(&body.0).ok().and_then(TestUpdate::parse);
    let update =
        update.ok_or_else(|| Failure::bad("the body must be a JSON object with lock, value, updateValue"))?;
    let address = address(req.head(), &app).map(|address| address.to_string());
    let changed = block(move || {
        let info = &snapshot.info;
        let (site, environment) = (info.site_id.to_string(), info.id.to_string());
        let description = app.read(|conn| {
            let (_, environment) = scope(conn, &site, &environment)?;
            Ok(store::tokens::find(conn, environment.id, &token.uuid)?.description)
        })?;
        let actor = Actor::token(&token.uuid, &description, address);
        let permissions = &token.permissions;
        test_updates::apply(&app, &actor, permissions, &site, &environment, &named.feature, &update)
    })
    .await?;
    let status = if changed { StatusCode::CREATED } else { StatusCode::OK };
    Ok(HttpResponse::build(status).finish())
}
