//! `…/tokens`: the environment tokens of an environment.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::html;
use serde_json::json;

use super::components::form::{Text, Typed, select, summary};
use super::components::{ago, empty, icon, thin};
use super::edit::Edit;
use super::failure::Failure;
use super::layout::{Page, Place, Toast, done};
use super::{block, url};
use crate::admin;
use crate::admin::tokens::Created;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::permission::{Permission, allows};
use crate::error::Error;
use crate::store;
use crate::store::tokens::PERMISSIONS;

type Answer = Result<HttpResponse, Failure>;
const FIELDS: &[&str] = &["description", "kind", "permissions", "expiresAt", "rateLimit"];

/// `GET …/tokens`.
pub async fn list(app: Data<App>, req: HttpRequest, signed: Signed, path: Path<(String, String)>) -> Answer {
    let place = Place::find(&app, &path.0, Some(&path.1))?;
    show(&app, &req, &signed, &place, &Typed::with(&[("kind", "client")]), None)
}

fn show(
    app: &App,
    req: &HttpRequest,
    signed: &Signed,
    place: &Place,
    typed: &Typed,
    created: Option<&Created>,
) -> Answer {
    let environment = place.environment()?;
    let tokens = app.read(|conn| store::tokens::list(conn, environment.id))?;
    let here = url::section(&place.site, environment, "tokens");
    let may_change = allows(signed.session.role, Permission::Change);
    let page = Page::new(app, req, signed, "Tokens").at(place, "tokens");
    let now = app.now();
    let main = html! {
        div.head {
            div { h1 { "Tokens" } p.lede { "Programs show a token to read this environment. A client token is safe in a browser; a server token may also read the rules." } }
            div.acts {
                a.btn href=(url::section(&place.site, environment, "featurehub")) { "FeatureHub" }
                @if may_change { a.btn.main href="#new" { (icon("plus")) "New token" } }
            }
        }
        @if let Some(created) = created {
            section.banner.good role="status" {
                (icon("check"))
                div.stack.t.grow {
                    p { b { "This is shown once." } " Copy it now; only its hash is kept." }
                    @for (label, id, secret) in [("Token", "secret", &created.token), ("FeatureHub key", "featurehub", &created.featurehub_key)] {
                        div.row.wrap { span.s.m2 { (label) } code id=(id) { (secret) } button type="button" .btn.quiet data-copy=(id) { (icon("copy")) span { "Copy" } } }
                    }
                }
            }
        }
        @if tokens.is_empty() {
            (empty("No tokens yet", "A program needs one to ask for the features of this environment.", None))
        } @else {
            table.tbl.stackable {
                caption.vh { "Tokens of " (environment.name) }
                thead { tr {
                    th scope="col" { "Description" } th scope="col" { "Kind" } th scope="col" { "Permissions" }
                    th scope="col" { "Expires" } th scope="col" .r { "Uses" } th scope="col" { "Last used" } th scope="col" { "Made" }
                    @if may_change { th scope="col" { span.vh { "Actions" } } }
                } }
                tbody {
                    @for token in &tokens {
                        tr {
                            th scope="row" .k1 { (token.description) }
                            td { (token.kind.as_str()) }
                            td.m2.xs { (token.permissions.join(", ")) }
                            td.m2 { @match token.expires_at {
                                Some(at) if at <= now => span.note { "expired" },
                                Some(at) => (crate::clock::day(at)),
                                None => "never",
                            } }
                            td.r.num { (thin(usize::try_from(token.uses).unwrap_or(usize::MAX))) }
                            td.m2 { @match token.last_used_at { Some(at) => (ago(at, now)), None => "not yet" } }
                            td.m2 { (ago(token.created_at, now)) " by " (token.created_by) }
                            @if may_change { td.tight { div.row {
                                form method="post" action={ (here) "/" (token.uuid) "/rotate" } { (page.csrf()) button.btn.quiet { "Rotate" span.vh { " " (token.description) } } }
                                form method="post" action={ (here) "/" (token.uuid) "/revoke" } { (page.csrf()) button.btn.quiet.danger { "Revoke" span.vh { " " (token.description) } } }
                            } } }
                        }
                    }
                }
            }
        }
        @if may_change {
            section.sect #new aria-labelledby="new-h" {
                header { h2 id="new-h" { "New token" } }
                form.stack method="post" action=(here) {
                    (page.csrf()) (summary(typed, FIELDS))
                    (Text::new("description", "What it is for").required().hint("For example: checkout service, web shop").draw(typed))
                    (select("kind", "Kind", &[("client", "Client: evaluated values only; safe in a browser"), ("server", "Server: may also read the rules; keep it secret")], typed))
                    fieldset.part { legend { "May also" }
                        div.stack.t { @for permission in PERMISSIONS.iter().filter(|permission| **permission != "READ") {
                            label.check { input type="checkbox" name="permissions" value=(permission) checked[typed.all("permissions").any(|p| p == *permission)]; " " code { (permission) } }
                        } }
                    }
                    (Text::new("expiresAt", "Expires").kind("date").hint("Left empty, it does not expire.").draw(typed))
                    (Text::new("rateLimit", "Requests a minute").hint("Left empty, the server's setting; 0 is no limit.").draw(typed))
                    div.row { button.btn.main { "Create token" } }
                }
            }
        }
    };
    Ok(if typed.has_errors() { page.refuse(main) } else { page.show(main) })
}

/// `POST …/tokens`: shows the secret on the page that answers, once.
pub async fn create(app: Data<App>, req: HttpRequest, edit: Edit, path: Path<(String, String)>) -> Answer {
    let form = &edit.form;
    let expires = match form.get("expiresAt") {
        "" => None,
        day => Some(format!("{day}T00:00:00Z")),
    };
    let limit = form.get("rateLimit").trim();
    let body = json!({
        "description": form.get("description"), "kind": form.get("kind"),
        "permissions": form.all("permissions").collect::<Vec<_>>(), "expiresAt": expires,
        "rateLimit": if limit.is_empty() { serde_json::Value::Null } else { limit.parse::<u64>().map_or(json!(limit), |limit| json!(limit)) },
    });
    let (site, environment) = path.into_inner();
    let (server, actor, at) = (app.clone(), edit.signed.actor(), (site.clone(), environment.clone()));
    let made = block(move || admin::tokens::create(&server, &actor, &at.0, &at.1, &body.to_string())).await;
    let place = Place::find(&app, &site, Some(&environment))?;
    match made {
        Ok(created) => {
            show(&app, &req, &edit.signed, &place, &Typed::with(&[("kind", "client")]), Some(&created))
        }
        Err(Error::Invalid(errors)) => {
            show(&app, &req, &edit.signed, &place, &edit.form.clone().wrong(&errors), None)
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST …/tokens/{token}/rotate`: a new secret; the old one works for a day more.
pub async fn rotate(
    app: Data<App>,
    req: HttpRequest,
    edit: Edit,
    path: Path<(String, String, String)>,
) -> Answer {
    let (site, environment, id) = path.into_inner();
    let (server, actor, at) = (app.clone(), edit.signed.actor(), (site.clone(), environment.clone()));
    let created = block(move || {
        admin::tokens::rotate(&server, &actor, &at.0, &at.1, &id, r#"{"graceSeconds": 86400}"#)
    })
    .await?;
    let place = Place::find(&app, &site, Some(&environment))?;
    show(&app, &req, &edit.signed, &place, &Typed::with(&[("kind", "client")]), Some(&created))
}

/// `POST …/tokens/{token}/revoke`.
pub async fn revoke(app: Data<App>, edit: Edit, path: Path<(String, String, String)>) -> Answer {
    let (site, environment, id) = path.into_inner();
    let place = Place::find(&app, &site, Some(&environment))?;
    let (server, actor) = (app.clone(), edit.signed.actor());
    block(move || admin::tokens::delete(&server, &actor, &site, &environment, &id)).await?;
    let to = url::section(&place.site, place.environment()?, "tokens");
    Ok(done(&to, Toast::say("The token is revoked. Whoever shows it is refused from now on.")))
}
