//! `/webhooks`, `/webhooks/{webhook}`, `:rotate`, `:test`, `…/deliveries`, `…/deliveries/{delivery}:redeliver`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{block, created, remove};
use crate::admin::webhooks::{self, Created, DeliveryView, NewWebhook, Rotation, Test, View, WebhookChange};
use crate::api::ErrorBody;
use crate::api::request::{Body, Page, Query, invalid_cursor, segment};
use crate::api::rest::answers::{Reads, Removes, Searches, Writes};
use crate::api::rest::params::{DeliveryPath, PageQuery, WebhookPath, WebhookQuery};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::permission::Permission;
use crate::error::Result;
use crate::store;

/// List webhooks
///
/// In the order in which they were made. Secrets are never shown again; for viewers, addresses are cut off behind the
/// host.
#[utoipa::path(
    get,
    path = "/webhooks",
    operation_id = "listWebhooks",
    tag = "Webhooks",
    security(("personalAccessToken" = [])),
    params(WebhookQuery, PageQuery),
    responses(
        (status = 200, description = "A page of webhooks.", body = Page<View>),
        Searches,
    ),
)]
pub async fn list(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let query = Query::only(&req, &["site", "limit", "cursor"])?;
    let site = query.get("site").map(str::to_owned);
    let (role, now) = (caller.0.role, app.now());
    let rows = block(move || {
        app.read(|conn| {
            let site = site.map(|site| store::sites::find(conn, &site)).transpose()?;
            store::webhooks::list(conn, site.map(|site| site.id))
        })
    })
    .await?;
    Ok(HttpResponse::Ok().json(Page::cut(rows, &query, |row| row.id, |row| View::of(&row, role, now))?))
}

/// Make a webhook
///
/// It is told of what happens from now on. The answer shows its secret, once. Each request carries
/// `X-Webhook-Signature: sha256=HEX`, the HMAC-SHA256 of the body with the secret, `X-Webhook-Id` (the same for every
/// try of one event), `X-Webhook-Event` and `X-Webhook-Timestamp`.
#[utoipa::path(
    post,
    path = "/webhooks",
    operation_id = "createWebhook",
    tag = "Webhooks",
    security(("personalAccessToken" = [])),
    request_body = NewWebhook,
    responses(
        (status = 201, description = "The webhook with its secret, which is shown this once.", body = Created, headers(("Location" = String, description = "Where it is."))),
        (status = 409, description = "`limit_reached`: the site has as many as it may.", body = ErrorBody),
        Writes,
    ),
)]
pub async fn create(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let made = block(move || webhooks::create(&app, &caller.0, body.text()?)).await?;
    Ok(created(&req, &made.view.id, &made))
}

/// Read a webhook
#[utoipa::path(
    get,
    path = "/webhooks/{webhook}",
    operation_id = "getWebhook",
    tag = "Webhooks",
    security(("personalAccessToken" = [])),
    params(WebhookPath),
    responses(
        (status = 200, description = "The webhook, without its secret.", body = View),
        Reads,
    ),
)]
pub async fn get(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let id = segment(&req, "webhook")?;
    let now = app.now();
    let webhook = block(move || app.read(|conn| store::webhooks::find(conn, &id))).await?;
    Ok(HttpResponse::Ok().json(View::of(&webhook, caller.0.role, now)))
}

/// Change a webhook
///
/// Its site is fixed once made; its secret changes by rotation. One that is turned on again is told of what happens
/// from then on; so is one that is told of more events or environments.
#[utoipa::path(
    patch,
    path = "/webhooks/{webhook}",
    operation_id = "updateWebhook",
    tag = "Webhooks",
    security(("personalAccessToken" = [])),
    params(WebhookPath),
    request_body = WebhookChange,
    responses(
        (status = 200, description = "The webhook as it is now.", body = View),
        Writes,
    ),
)]
pub async fn update(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let id = segment(&req, "webhook")?;
    let (role, now) = (caller.0.role, app.now());
    let webhook = block(move || webhooks::update(&app, &caller.0, &id, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(View::of(&webhook, role, now)))
}

/// Delete a webhook
///
/// With its log. What it was still owed is not sent.
#[utoipa::path(
    delete,
    path = "/webhooks/{webhook}",
    operation_id = "deleteWebhook",
    tag = "Webhooks",
    security(("personalAccessToken" = [])),
    params(WebhookPath),
    responses(
        (status = 204, description = "The webhook is gone."),
        Removes,
    ),
)]
pub async fn delete(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    remove(app, caller, req, "webhook", webhooks::delete).await
}

/// Rotate the secret of a webhook
///
/// Requests are signed with the new secret from now on; for `graceSeconds` more, `X-Webhook-Signature-Previous` holds
/// the signature with the old one. The body may be left out.
#[utoipa::path(
    post,
    path = "/webhooks/{webhook}:rotate",
    operation_id = "rotateWebhook",
    tag = "Webhooks",
    security(("personalAccessToken" = [])),
    params(WebhookPath),
    request_body = Option<Rotation>,
    responses(
        (status = 200, description = "The webhook with its new secret, which is shown this once.", body = Created),
        Writes,
    ),
)]
pub async fn rotate(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let id = segment(&req, "webhook")?;
    let made = block(move || webhooks::rotate(&app, &caller.0, &id, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(&made))
}

/// Try a webhook out
///
/// Sends what a real event would be: the newest one of that name in its site, else an example; waits for the answer.
/// The body may be left out.
#[utoipa::path(
    post,
    path = "/webhooks/{webhook}:test",
    operation_id = "testWebhook",
    tag = "Webhooks",
    security(("personalAccessToken" = [])),
    params(WebhookPath),
    request_body = Option<Test>,
    responses(
        (status = 200, description = "What was sent, and what came back.", body = DeliveryView),
        Writes,
    ),
)]
pub async fn test(app: Data<App>, caller: Caller, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let id = segment(&req, "webhook")?;
    let delivery = block(move || webhooks::test(&app, &caller.0, &id, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(DeliveryView::from(&delivery)))
}

/// List the deliveries of a webhook
///
/// Every try, newest first. The newest thousand are kept, for as long as events are.
#[utoipa::path(
    get,
    path = "/webhooks/{webhook}/deliveries",
    operation_id = "listDeliveries",
    tag = "Webhooks",
    security(("personalAccessToken" = [])),
    params(WebhookPath, PageQuery),
    responses(
        (status = 200, description = "A page of tries.", body = Page<DeliveryView>),
        Searches,
    ),
)]
pub async fn deliveries(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let query = Query::only(&req, &["limit", "cursor"])?;
    let limit = query.limit()?;
    let below = query.cursor()?.map(|text| text.parse::<i64>().map_err(|_| invalid_cursor())).transpose()?;
    let id = segment(&req, "webhook")?;
    let (webhook, rows) = block(move || {
        app.read(|conn| {
            let webhook = store::webhooks::find(conn, &id)?;
            let rows = store::webhooks::deliveries(conn, webhook.id, below, limit + 1)?;
            Ok((webhook, rows))
        })
    })
    .await?;
    let role = caller.0.role;
    let view = |row| DeliveryView::from(&webhooks::visible(&row, &webhook, role));
    let page = Page::of(rows, limit, |row| row.id.to_string(), view);
    Ok(HttpResponse::Ok().json(page))
}

/// Read a delivery
#[utoipa::path(
    get,
    path = "/webhooks/{webhook}/deliveries/{delivery}",
    operation_id = "getDelivery",
    tag = "Webhooks",
    security(("personalAccessToken" = [])),
    params(WebhookPath, DeliveryPath),
    responses(
        (status = 200, description = "The try, with request and response.", body = DeliveryView),
        Reads,
    ),
)]
pub async fn delivery(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let (id, delivery) = (segment(&req, "webhook")?, segment(&req, "delivery")?);
    let row = block(move || {
        app.read(|conn| {
            let webhook = store::webhooks::find(conn, &id)?;
            let row = store::webhooks::delivery(conn, webhook.id, &delivery)?;
            Ok(webhooks::visible(&row, &webhook, caller.0.role))
        })
    })
    .await?;
    Ok(HttpResponse::Ok().json(DeliveryView::from(&row)))
}

/// Deliver an event once more
///
/// Under its own `X-Webhook-Id`, whatever came of it before; waits for the answer.
#[utoipa::path(
    post,
    path = "/webhooks/{webhook}/deliveries/{delivery}:redeliver",
    operation_id = "redeliver",
    tag = "Webhooks",
    security(("personalAccessToken" = [])),
    params(WebhookPath, DeliveryPath),
    responses(
        (status = 200, description = "The new try.", body = DeliveryView),
        (status = 409, description = "`event_gone`: it is older than the retention; `body_cut`: it was a test, and the log does not hold all of what it sent.", body = ErrorBody),
        Reads,
    ),
)]
pub async fn redeliver(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let (id, delivery) = (segment(&req, "webhook")?, segment(&req, "delivery")?);
    let tried = block(move || webhooks::redeliver(&app, &caller.0, &id, &delivery)).await?;
    Ok(HttpResponse::Ok().json(DeliveryView::from(&tried)))
}
