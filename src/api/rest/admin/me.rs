//! `/me`, `/me/tokens`, `/me/devices`, `/me/sessions`: one's own account, whatever the role.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use rusqlite::Connection;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{block, created, remove};
use crate::admin::people::{
    self, CreatedToken, DeviceView, NewOwnToken, Own, OwnChange, SessionView, TokenView, own,
};
use crate::admin::{two_factor, users};
use crate::api::request::{Body, Page, Query};
use crate::api::rest::answers::{Reads, Removes, Searches, Writes};
use crate::api::rest::params::{DevicePath, PageQuery, SessionPath, TokenPath};
use crate::app::App;
use crate::auth::browser::{COOKIE, DEVICE};
use crate::auth::extract::Caller;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::live::credentials::hash;
use crate::store;
use crate::store::sessions::Session;
use crate::store::tokens::Hash;
use crate::store::two_factor::Device;

/// Something of one's own under its id, as it is shown. In this form its pages are built once for all kinds.
type Row = (String, Box<RawValue>);

/// Loads them, given the cookie of the request.
type Load = fn(&Connection, UserId, Millis, Option<Hash>) -> Result<Vec<Row>>;

fn row<T: Serialize>(id: &str, view: &T) -> Result<Row> {
    Ok((id.to_owned(), to_raw_value(view).map_err(Error::internal)?))
}

/// A page of what is one's own, newest first, as the ids tell. What is loaded may depend on what the request has in
/// that cookie.
async fn page(
    app: Data<App>,
    caller: Caller,
    req: HttpRequest,
    cookie: &str,
    load: Load,
) -> Result<HttpResponse> {
    let query = Query::only(&req, &["limit", "cursor"])?;
    let (limit, after) = (query.limit()?, query.cursor()?);
    let user = caller.0.user.ok_or_else(|| Error::internal("nobody asks"))?;
    let cookie = req.cookie(cookie).map(|cookie| hash(cookie.value()));
    let mut rows = block(move || app.read(|conn| load(conn, user, app.now(), cookie))).await?;
    rows.retain(|(id, _)| after.as_ref().is_none_or(|after| id < after));
    rows.sort_unstable_by(|one, other| other.0.cmp(&one.0));
    Ok(HttpResponse::Ok().json(Page::of(rows, limit, |(id, _)| id.clone(), |(_, shown)| shown)))
}

/// Read your own account
///
/// Who you are, what you may, and how you like the pages. A personal access token is its user.
#[utoipa::path(
    get,
    path = "/me",
    operation_id = "getMe",
    tag = "Account",
    security(("personalAccessToken" = [])),
    responses(
        (status = 200, description = "You.", body = Own),
        Reads,
    ),
)]
pub async fn get(app: Data<App>, caller: Caller) -> Result<HttpResponse> {
    let own = block(move || people::find_own(&app, &caller.0)).await?;
    Ok(HttpResponse::Ok().json(own))
}

/// Change how you like the pages
///
/// Name, address and role are for an administrator to change.
#[utoipa::path(
    patch,
    path = "/me",
    operation_id = "updateMe",
    tag = "Account",
    security(("personalAccessToken" = [])),
    request_body = OwnChange,
    responses(
        (status = 200, description = "You, as you are now.", body = Own),
        Writes,
    ),
)]
pub async fn update(app: Data<App>, caller: Caller, body: Body) -> Result<HttpResponse> {
    let own = block(move || people::update_own(&app, &caller.0, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(own))
}

/// List your personal access tokens
///
/// Newest first, those that have expired included. Secrets are never shown again.
#[utoipa::path(
    get,
    path = "/me/tokens",
    operation_id = "listMyTokens",
    tag = "Account",
    security(("personalAccessToken" = [])),
    params(PageQuery),
    responses(
        (status = 200, description = "A page of tokens.", body = Page<TokenView>),
        Searches,
    ),
)]
pub async fn list_tokens(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    page(app, caller, req, COOKIE, |conn, user, _, _| {
        let tokens = store::users::own_tokens(conn, user)?;
        tokens.iter().map(|token| row(&token.uuid, &TokenView::from(token))).collect()
    })
    .await
}

/// Make a personal access token
///
/// For a program of yours: it may do what you may, for as long as you may. The answer shows the secret, once.
#[utoipa::path(
    post,
    path = "/me/tokens",
    operation_id = "createMyToken",
    tag = "Account",
    security(("personalAccessToken" = [])),
    request_body = NewOwnToken,
    responses(
        (status = 201, description = "The token with its secret, which is shown this once.", body = CreatedToken, headers(("Location" = String, description = "Where to revoke it."))),
        Writes,
    ),
)]
pub async fn create_token(
    app: Data<App>,
    caller: Caller,
    req: HttpRequest,
    body: Body,
) -> Result<HttpResponse> {
    let token = block(move || people::create_token(&app, &caller.0, body.text()?)).await?;
    Ok(created(&req, &token.view.id, &token))
}

/// Revoke a personal access token
///
/// At once, also the one that this is asked with.
#[utoipa::path(
    delete,
    path = "/me/tokens/{token}",
    operation_id = "deleteMyToken",
    tag = "Account",
    security(("personalAccessToken" = [])),
    params(TokenPath),
    responses(
        (status = 204, description = "The token is revoked."),
        Removes,
    ),
)]
pub async fn delete_token(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    remove(app, caller, req, "token", |app, actor, id| users::revoke_own_token(app, actor, own(actor)?, id))
        .await
}

/// List your trusted devices
///
/// Browsers that are not asked for your second factor, those first that were trusted last.
#[utoipa::path(
    get,
    path = "/me/devices",
    operation_id = "listMyDevices",
    tag = "Account",
    security(("personalAccessToken" = [])),
    params(PageQuery),
    responses(
        (status = 200, description = "A page of devices.", body = Page<DeviceView>),
        Searches,
    ),
)]
pub async fn list_devices(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    page(app, caller, req, DEVICE, |conn, user, now, cookie| {
        let devices = store::two_factor::devices(conn, user, now)?;
        let shown = |device: &Device| row(&device.uuid, &DeviceView::of(device, cookie == Some(device.hash)));
        devices.iter().map(shown).collect()
    })
    .await
}

/// Trust a device no more
///
/// It is asked for the second factor again.
#[utoipa::path(
    delete,
    path = "/me/devices/{device}",
    operation_id = "deleteMyDevice",
    tag = "Account",
    security(("personalAccessToken" = [])),
    params(DevicePath),
    responses(
        (status = 204, description = "The device is not trusted any more."),
        Removes,
    ),
)]
pub async fn delete_device(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    remove(app, caller, req, "device", |app, actor, id| {
        two_factor::forget_device(app, actor, own(actor)?, id)
    })
    .await
}

/// List your sessions
///
/// Browsers that are signed in, those first that signed in last.
#[utoipa::path(
    get,
    path = "/me/sessions",
    operation_id = "listMySessions",
    tag = "Account",
    security(("personalAccessToken" = [])),
    params(PageQuery),
    responses(
        (status = 200, description = "A page of sessions.", body = Page<SessionView>),
        Searches,
    ),
)]
pub async fn list_sessions(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    page(app, caller, req, COOKIE, |conn, user, now, cookie| {
        let current = match cookie {
            Some(cookie) => store::sessions::find(conn, &cookie, now)?.map(|session| session.id),
            None => None,
        };
        let sessions = store::sessions::list(conn, user, now)?;
        let shown =
            |session: &Session| row(&session.uuid, &SessionView::of(session, current == Some(session.id)));
        sessions.iter().map(shown).collect()
    })
    .await
}

/// End a session
///
/// The browser is signed out at once, also the one that this is asked from.
#[utoipa::path(
    delete,
    path = "/me/sessions/{session}",
    operation_id = "deleteMySession",
    tag = "Account",
    security(("personalAccessToken" = [])),
    params(SessionPath),
    responses(
        (status = 204, description = "The session has ended."),
        Removes,
    ),
)]
pub async fn delete_session(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    remove(app, caller, req, "session", |app, actor, id| users::end_session(app, actor, own(actor)?, id))
        .await
}
