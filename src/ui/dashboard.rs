//! `/`: the state of things at a glance.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::html;

use super::components::{empty, thin};
use super::failure::Failure;
use super::layout::Page;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::store;

/// `GET /`.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let sites = app.read(store::sites::all)?;
    let features: usize =
        app.live.environments().iter().map(|environment| environment.snapshot().len()).sum();
    let environments = app.live.environments().len();
    let users = app.read(store::users::count)?;
    let main = html! {
        div.head { div { h1 { "Everything answers." } } }
        div.figures {
            a href="/sites" { b { (thin(sites.len())) } span { "sites" } }
            a href="/sites" { b { (thin(environments)) } span { "environments" } }
            a href="/sites" { b { (thin(features)) } span { "features" } }
            a href="/admin/users" { b { (thin(users as usize)) } span { "users" } }
        }
        @if sites.is_empty() {
            (empty("No sites yet", "A site is one application or service. Making one also makes its environment prod.", None))
        }
    };
    Ok(Page::new(&app, &req, &signed, "Dashboard").show(main))
}
