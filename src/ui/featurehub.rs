//! `…/featurehub`: how FeatureHub's SDKs are connected to an environment, and what they cannot be served.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::json;

use super::components::form::{Text, Typed, select, summary};
use super::components::icon;
use super::edit::Edit;
use super::failure::Failure;
use super::help::{base, code};
use super::layout::{Page, Place};
use super::{block, once, url};
use crate::admin;
use crate::api::featurehub::strategies::inexpressible;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::permission::{Permission, allows};
use crate::error::Error;
use crate::store;
use crate::store::tokens::Kind;

type Answer = Result<HttpResponse, Failure>;

const FIELDS: &[&str] = &["description", "kind", "permissions"];

/// What a test client, or one that reads properties, needs; with what each allows.
const PERMISSIONS: &[(&str, &str)] = &[
    ("CHANGE_VALUE", "change default values, in tests"),
    ("LOCK", "lock features"),
    ("UNLOCK", "unlock features"),
    ("EXTENDED_DATA", "read the properties of features"),
];

/// `GET …/featurehub`.
pub async fn page(app: Data<App>, req: HttpRequest, signed: Signed, path: Path<(String, String)>) -> Answer {
    let place = Place::find(&app, &path.0, Some(&path.1))?;
    show(&app, &req, &signed, &place, &Typed::with(&[("kind", "server")]))
}

/// `POST …/featurehub`: makes a key, and goes to the page that shows it, once, with the set-up that has it filled in.
pub async fn create(app: Data<App>, req: HttpRequest, edit: Edit, path: Path<(String, String)>) -> Answer {
    let form = &edit.form;
    let body = json!({
        "description": form.get("description"), "kind": form.get("kind"),
        "permissions": form.all("permissions").collect::<Vec<_>>(),
    });
    let (site, environment) = path.into_inner();
    let (server, actor, at) = (app.clone(), edit.signed.actor(), (site.clone(), environment.clone()));
    let made = block(move || admin::tokens::create(&server, &actor, &at.0, &at.1, &body.to_string())).await;
    let place = Place::find(&app, &site, Some(&environment))?;
    match made {
        Ok(created) => {
            let page = url::section(&place.site, place.environment()?, "featurehub");
            Ok(once::send(&app, &edit.signed, &page, vec![created.featurehub_key]))
        }
        Err(Error::Invalid(errors)) => {
            show(&app, &req, &edit.signed, &place, &edit.form.clone().wrong(&errors))
        }
        Err(error) => Err(error.into()),
    }
}

fn show(app: &App, req: &HttpRequest, signed: &Signed, place: &Place, typed: &Typed) -> Answer {
    let environment = place.environment()?;
    let here = url::section(&place.site, environment, "featurehub");
    let tokens = app.read(|conn| store::tokens::list(conn, environment.id))?;
    let count = |kind: Kind| tokens.iter().filter(|token| token.kind == kind).count();
    let may_change = allows(signed.session.role, Permission::Change);
    let page = Page::new(app, req, signed, "FeatureHub").at(place, "tokens").narrow();
    let made = once::secrets(app, signed, req, &here).pop();
    let key = made.as_deref().unwrap_or("YOUR KEY");
    let snapshot = app.live.environment(environment.id).map(|live| live.snapshot());
    let main = html! {
        nav.crumb.s.m3 aria-label="Breadcrumb" { a href=(url::section(&place.site, environment, "tokens")) { "Tokens" } }
        div.head { div {
            h1 { "FeatureHub" }
            p.lede { "FeatureHub’s SDKs work with this environment as they are: give them this server’s address and a key. " a href="/help/featurehub" { "How it works" } }
        } }
        @if made.is_some() {
            section.banner.good role="status" {
                (icon("check"))
                div.stack.t.grow {
                    p { b { "The key is shown once." } " Copy it now; only its hash is kept. The set-up below has it filled in." }
                    div.row.wrap { code id="featurehub" { (key) } button type="button" .btn.quiet data-copy="featurehub" { (icon("copy")) span { "Copy" } } }
                }
            }
        }
        section.sect aria-labelledby="keys-h" {
            header { h2 id="keys-h" { "Two kinds of key" } }
            dl.stack {
                (kind("Client-evaluated", count(Kind::Server), "For services: they get the rules and evaluate by themselves, for any user at any time. Such a key has a * and belongs to a server token; keep it secret."))
                (kind("Server-evaluated", count(Kind::Client), "For browsers and phones: they send who the user is and get values alone. Such a key has no * and belongs to a client token; it may be public."))
            }
            p.m2.s { "Every token has a FeatureHub spelling, " code { (environment.uuid) "/…" } ", shown when it is made or rotated. Expiry, revocation and limits are those of the token." }
        }
        @if may_change {
            section.sect #new aria-labelledby="new-h" {
                header { h2 id="new-h" { "New key" } }
                form.stack method="post" action=(here) {
                    (page.csrf()) (summary(typed, FIELDS))
                    (Text::new("description", "What it is for").required().hint("For example: checkout service, web shop").draw(typed))
                    (select("kind", "Kind", &[("server", "Client-evaluated: for services"), ("client", "Server-evaluated: for browsers and phones")], typed))
                    fieldset.part { legend { "May also" }
                        div.stack.t { @for (permission, text) in PERMISSIONS {
                            label.check { input type="checkbox" name="permissions" value=(permission) checked[typed.all("permissions").any(|one| one == *permission)]; " " (text) " " code.xs { (permission) } }
                        } }
                    }
                    div.row { button.btn.main { "Create key" } }
                }
            }
        }
        (set_up(&base(app, req), key))
        @if let Some(snapshot) = &snapshot {
            (left_out(place, inexpressible(snapshot)).map_err(Failure::from)?)
        }
    };
    Ok(if typed.has_errors() { page.refuse(main) } else { page.show(main) })
}

fn kind(name: &str, tokens: usize, text: &str) -> Markup {
    html! { div.stack.t { dt { b { (name) } " " span.m3.s { (super::components::count(tokens, "token", "tokens")) } } dd.m2 { (text) } } }
}

/// Code to paste, one piece for each SDK.
pub fn set_up(base: &str, key: &str) -> Markup {
    let node = format!(
        "import {{ EdgeFeatureHubConfig }} from 'featurehub-javascript-node-sdk';\n\nconst hub = new EdgeFeatureHubConfig('{base}', '{key}');\nhub.init();\n\nconst user = await hub.newContext().userKey('123').build();\nif (user.getFlag('new_checkout')) {{ /* … */ }}"
    );
    let browser = format!(
        "import {{ EdgeFeatureHubConfig, FeatureHubPollingClient }} from 'featurehub-javascript-client-sdk';\n\nconst hub = new EdgeFeatureHubConfig('{base}', '{key}');\nhub.edgeServiceProvider((repository, config) =>\n  new FeatureHubPollingClient(repository, config, 30000));\n\nconst user = await hub.newContext().userKey('123').build();\nconsole.log(user.getString('greeting'));"
    );
    let python = format!(
        "import asyncio\nfrom featurehub_sdk.featurehub_config import FeatureHubConfig\n\nhub = FeatureHubConfig(\"{base}\", [\"{key}\"])\nasyncio.run(hub.init())\nuser = hub.new_context().user_key(\"123\").build_sync()\nprint(user.get_flag(\"new_checkout\"))"
    );
    let java = format!(
        "FeatureHubConfig hub = new EdgeFeatureHubConfig(\"{base}\", \"{key}\");\nhub.init();\nClientContext user = hub.newContext().userKey(\"123\").build().get();\nif (user.feature(\"new_checkout\").isEnabled()) {{ /* … */ }}"
    );
    let curl = format!("curl '{base}/features?apiKey={key}' -H 'x-featurehub: userkey=123,country=sweden'");
    html! {
        section.sect aria-labelledby="setup-h" {
            header { h2 id="setup-h" { "Set-up" } }
            div.stack {
                @for (name, id, text) in [
                    ("Node", "s-node", &node), ("Browser", "s-browser", &browser), ("Python", "s-python", &python),
                    ("Java", "s-java", &java), ("curl", "s-curl", &curl),
                ] { div.stack.t { h3 { (name) } (code(id, text)) } }
            }
        }
    }
}

fn left_out(place: &Place, left_out: Vec<(&str, String)>) -> Result<Markup, Error> {
    let environment = place.environment()?;
    Ok(html! {
        section.sect aria-labelledby="left-h" {
            header { h2 id="left-h" { "Left out for client-evaluated keys" } }
            @if left_out.is_empty() {
                p.m2 { "Nothing: every feature can be evaluated by FeatureHub’s clients exactly as it is here." }
            } @else {
                p.m2 { "What FeatureHub’s clients would not evaluate exactly as this server does is not sent to them; their code’s default applies. Server-evaluated keys get every value." }
                dl.stack { @for (feature, why) in &left_out { div.stack.t {
                    dt { a.in href=(url::feature(&place.site, environment, feature)) { code { (feature) } } }
                    dd.m2 { (why) }
                } } }
            }
        }
    })
}
