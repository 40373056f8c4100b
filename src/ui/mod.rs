//! The doors for people: server-rendered pages that work with forms and links alone; htmx and `app.js` make
//! them better. One file per page: handler and view.

pub mod assets;
pub mod components;
pub mod condition_form;
pub mod dashboard;
pub mod door;
pub mod edit;
pub mod failure;
pub mod feature;
pub mod features;
pub mod layout;
pub mod rule_form;
pub mod segments;
pub mod url;

use actix_web::web::{self, ServiceConfig};

/// Every page, on one screen.
pub fn routes(cfg: &mut ServiceConfig) {
    let get = web::get;
    let post = web::post;
    cfg.route("/assets/{hash}/{name}", get().to(assets::serve))
        .route("/signin", get().to(door::show))
        .route("/signin", post().to(door::sign_in))
        .route("/signout", post().to(door::sign_out))
        .route("/setup/{link}", get().to(door::show_setup))
        .route("/setup/{link}", post().to(door::setup))
        .route("/", get().to(dashboard::show));
    environment_routes(cfg);
}

/// Pages of an environment's features and segments.
fn environment_routes(cfg: &mut ServiceConfig) {
    let get = web::get;
    let post = web::post;
    let environment = "/sites/{site}/environments/{environment}";
    let features = &format!("{environment}/features");
    let feature = &format!("{features}/{{key}}");
    let rule = &format!("{feature}/rules/{{rule}}");
    let segments = &format!("{environment}/segments");
    cfg.route(features, get().to(features::list))
        .route(&format!("{features}/new"), get().to(features::show_new))
        .route(&format!("{features}/new"), post().to(features::create))
        .route(feature, get().to(feature::page))
        .route(&format!("{feature}/switch"), post().to(features::turn))
        .route(&format!("{feature}/lock"), post().to(features::lock))
        .route(&format!("{feature}/delete"), get().to(features::ask_delete))
        .route(&format!("{feature}/delete"), post().to(features::delete))
        .route(&format!("{feature}/settings"), post().to(feature::settings))
        .route(&format!("{feature}/variants"), get().to(feature::variants))
        .route(&format!("{feature}/variants"), post().to(feature::change_variants))
        .route(&format!("{feature}/history"), get().to(feature::history))
        .route(&format!("{feature}/revert"), post().to(feature::revert))
        .route(rule, get().to(rule_form::reload))
        .route(rule, post().to(rule_form::post))
        .route(&format!("{rule}/{{act}}"), post().to(rule_form::act))
        .route(segments, get().to(segments::list))
        .route(&format!("{segments}/{{segment}}"), get().to(segments::show))
        .route(&format!("{segments}/{{segment}}"), post().to(segments::post))
        .route(&format!("{segments}/{{segment}}/delete"), post().to(segments::delete));
}
