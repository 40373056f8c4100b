//! `/users`, `/users/{user}`, `/users/{user}/2fa`: for administrators.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{block, created, remove};
use crate::admin::people::{self, NewUser, UserChange, View};
use crate::admin::users;
use crate::api::ErrorBody;
use crate::api::request::{Body, Page, Query, segment};
use crate::api::rest::answers::{Reads, Removes, Searches, Writes};
use crate::api::rest::params::{PageQuery, UserPath, UserQuery};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::blocking::{HASHES, block_in_turn};
use crate::engine::permission::{Permission, Role};
use crate::error::{Error, Result};
use crate::store;
use crate::store::users::Filter;

/// List users
///
/// By name. `q` searches names and addresses; the addresses themselves stand with each user alone.
#[utoipa::path(
    get,
    path = "/users",
    operation_id = "listUsers",
    tag = "Users",
    security(("personalAccessToken" = [])),
    params(UserQuery, PageQuery),
    responses(
        (status = 200, description = "A page of users.", body = Page<View>),
        Searches,
    ),
)]
pub async fn list(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Administer)?;
    let query = Query::only(&req, &["q", "role", "active", "limit", "cursor"])?;
    let role = query.get("role").map(|role| {
        Role::parse(role).ok_or_else(|| Error::invalid("role", "must be viewer, editor or admin"))
    });
    let (role, active) = (role.transpose()?, query.choice("active")?);
    let (limit, after) = (query.limit()?, query.cursor()?.unwrap_or_default());
    let rows = block(move || {
        let text = query.get("q").unwrap_or_default().trim();
        let filter = Filter { text, role, active, after: &after, limit: limit as u32 + 1 };
        app.read(|conn| store::users::search(conn, &filter))
    })
    .await?;
    let page = Page::of(rows, limit, |user| user.username.clone(), |user| View::listed(&user));
    Ok(HttpResponse::Ok().json(page))
}

/// Make a user
///
/// They are welcomed by e-mail. Without a password they get a link to choose one, good for three days.
#[utoipa::path(
    post,
    path = "/users",
    operation_id = "createUser",
    tag = "Users",
    security(("personalAccessToken" = [])),
    request_body = NewUser,
    responses(
        (status = 201, description = "The user.", body = View, headers(("Location" = String, description = "Where it is."))),
        (status = 409, description = "`user_taken`: another user has the name or the address.", body = ErrorBody),
        Writes,
    ),
)]
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let user = block_in_turn(&HASHES, move || people::create(&app, &caller.0, body.text()?)).await?;
    Ok(created(&req, &user.uuid, &View::from(&user)))
}

/// Read a user
#[utoipa::path(
    get,
    path = "/users/{user}",
    operation_id = "getUser",
    tag = "Users",
    security(("personalAccessToken" = [])),
    params(UserPath),
    responses(
        (status = 200, description = "The user.", body = View),
        Reads,
    ),
)]
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Administer)?;
    let id = segment(&req, "user")?;
    let user = block(move || app.read(|conn| store::users::by_uuid(conn, &id))).await?;
    Ok(HttpResponse::Ok().json(View::from(&user)))
}

/// Change a user
///
/// Name, address, role, and whether they may sign in: all of it, or nothing. Who may not is signed out at once.
#[utoipa::path(
    patch,
    path = "/users/{user}",
    operation_id = "updateUser",
    tag = "Users",
    security(("personalAccessToken" = [])),
    params(UserPath),
    request_body = UserChange,
    responses(
        (status = 200, description = "The user as they are now.", body = View),
        (status = 409, description = "`user_taken`: another user has the name or the address. `last_admin`: the last administrator stays one, and active. `own_account`: nobody locks themselves out.", body = ErrorBody),
        Writes,
    ),
)]
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let id = segment(&req, "user")?;
    let user = block(move || people::update(&app, &caller.0, &id, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(View::from(&user)))
}

/// Delete a user
///
/// With their sessions, devices and tokens. What they made stays, and the audit log still names them: an erasure is a
/// GDPR request.
#[utoipa::path(
    delete,
    path = "/users/{user}",
    operation_id = "deleteUser",
    tag = "Users",
    security(("personalAccessToken" = [])),
    params(UserPath),
    responses(
        (status = 204, description = "The user is gone."),
        (status = 409, description = "`owns_sites`: sites are theirs; hand them over first. `last_admin`: the last administrator stays. `own_account`: nobody deletes themselves.", body = ErrorBody),
        Removes,
    ),
)]
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    remove(app, caller, req, "user", |app, actor, id| users::delete(app, actor, id).map(drop)).await
}

/// Take a second factor away
///
/// For who lost phone and backup codes: the password alone lets them in afterwards, and no device is trusted any more.
/// Make sure it is them who asks.
#[utoipa::path(
    delete,
    path = "/users/{user}/2fa",
    operation_id = "resetTwoFactor",
    tag = "Users",
    security(("personalAccessToken" = [])),
    params(UserPath),
    responses(
        (status = 204, description = "They have none any more."),
        Removes,
    ),
)]
pub async fn reset_two_factor(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    remove(app, caller, req, "user", users::reset_two_factor_of).await
}
