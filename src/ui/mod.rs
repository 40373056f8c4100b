//! The doors for people: server-rendered pages that work with forms and links alone; htmx and `app.js` make
//! them better. One file per page: handler and view.

pub mod account;
pub mod administration;
pub mod analytics;
pub mod assets;
pub mod audit;
pub mod branding;
pub mod components;
pub mod condition_form;
pub mod contexts;
pub mod dashboard;
pub mod docs;
pub mod door;
pub mod edit;
pub mod environments;
pub mod events;
pub mod failure;
pub mod feature;
pub mod featurehub;
pub mod features;
pub mod find;
mod flagr;
pub mod help;
pub mod layout;
pub mod multipart;
pub mod once;
pub mod openfeature;
pub mod qr;
pub mod reset;
pub mod rule_form;
pub mod second_step;
pub mod segments;
pub mod sites;
pub mod test;
pub mod tokens;
pub mod url;
pub mod webhook;
pub mod webhooks;

use actix_web::web::ServiceConfig;

pub use crate::blocking::block;
use crate::uniform;

/// Every page, on one screen.
pub fn routes(cfg: &mut ServiceConfig) {
    let get = uniform::get;
    let post = uniform::post;
    let env = "/sites/{site}/environments/{environment}";
    let at = |rest: &str| format!("{env}{rest}");
    cfg.route("/assets/{hash}/{name}", get().to(assets::serve))
        .route("/signin", get().to(door::show))
        .route("/signin", post().to(door::sign_in))
        .route("/signin/code", get().to(second_step::show))
        .route("/signin/code", post().to(second_step::post))
        .route("/signin/code/mail", post().to(second_step::mail))
        .route("/forgot", get().to(reset::show_forgot))
        .route("/forgot", post().to(reset::forgot))
        .route("/reset/{link}", get().to(reset::show_reset))
        .route("/reset/{link}", post().to(reset::reset))
        .route("/signout", post().to(door::sign_out))
        .route("/setup/{link}", get().to(door::show_setup))
        .route("/setup/{link}", post().to(door::setup))
        .route("/", get().to(dashboard::show))
        .route("/find", get().to(find::show))
        .route("/events", get().to(events::follow))
        .route("/help", get().to(help::index))
        .route("/help/{page}", get().to(help::show))
        .route("/audit", get().to(audit::all))
        .route("/sites", get().to(sites::list))
        .route("/sites", post().to(sites::create))
        .route("/sites/{site}", get().to(sites::show))
        .route("/sites/{site}/settings", get().to(sites::site_settings))
        .route("/sites/{site}/settings", post().to(sites::update))
        .route("/sites/{site}/owner", post().to(sites::transfer))
        .route("/sites/{site}/delete", post().to(sites::delete))
        .route("/sites/{site}/branding", get().to(branding::show))
        .route("/sites/{site}/branding", post().to(branding::post))
        .route("/branding/preview.css", get().to(branding::preview_sheet))
        .route("/branding/{site}/{version}/{file}", get().to(branding::serve))
        .route("/sites/{site}/document", get().to(sites::document))
        .route("/sites/{site}/environments", post().to(environments::create))
        .route(env, get().to(environments::show))
        .route(&at("/settings"), get().to(environments::settings))
        .route(&at("/settings"), post().to(environments::update))
        .route(&at("/delete"), get().to(environments::ask_delete))
        .route(&at("/delete"), post().to(environments::delete))
        .route(&at("/test"), get().to(test::show))
        .route(&at("/flagr"), get().to(flagr::show))
        .route(&at("/flagr"), post().to(flagr::change))
        .route(&at("/audit"), get().to(audit::of_environment))
        .route(&at("/featurehub"), get().to(featurehub::page))
        .route(&at("/featurehub"), post().to(featurehub::create))
        .route(&at("/tokens"), get().to(tokens::list))
        .route(&at("/tokens"), post().to(tokens::create))
        .route(&at("/tokens/{token}"), get().to(tokens::edit))
        .route(&at("/tokens/{token}"), post().to(tokens::update))
        .route(&at("/tokens/{token}/rotate"), post().to(tokens::rotate))
        .route(&at("/tokens/{token}/revoke"), get().to(tokens::ask_revoke))
        .route(&at("/tokens/{token}/revoke"), post().to(tokens::revoke))
        .route("/sites/{site}/webhooks", get().to(webhooks::of_site))
        .route(&at("/webhooks"), get().to(webhooks::list))
        .route(&at("/webhooks"), post().to(webhooks::create))
        .route(&at("/webhooks/{webhook}"), get().to(webhook::show))
        .route(&at("/webhooks/{webhook}"), post().to(webhook::update))
        .route(&at("/webhooks/{webhook}/test"), post().to(webhook::test))
        .route(&at("/webhooks/{webhook}/rotate"), post().to(webhook::rotate))
        .route(&at("/webhooks/{webhook}/rotate"), get().to(webhook::back))
        .route(&at("/webhooks/{webhook}/delete"), get().to(webhook::ask_delete))
        .route(&at("/webhooks/{webhook}/delete"), post().to(webhook::delete))
        .route(&at("/webhooks/{webhook}/deliveries/{delivery}/redeliver"), post().to(webhook::redeliver))
        .route("/account", get().to(account::show))
        .route("/account/data", post().to(account::ask_for_data))
        .route("/account/password", post().to(account::password))
        .route("/account/look", post().to(account::look))
        .route("/account/two-factor/app", post().to(account::begin_app))
        .route("/account/two-factor/cancel", post().to(account::cancel_app))
        .route("/account/two-factor/email", post().to(account::begin_email))
        .route("/account/two-factor/confirm", post().to(account::confirm))
        .route("/account/two-factor/codes", post().to(account::remake_codes))
        .route("/account/two-factor/off", post().to(account::turn_off))
        .route("/account/devices/{device}/forget", post().to(account::forget_device))
        .route("/account/sessions/{session}/end", post().to(account::end_session))
        .route("/account/tokens", post().to(account::create_token))
        .route("/account/tokens/{token}/revoke", post().to(account::revoke_token));
    docs::routes(cfg);
    environment_routes(cfg);
    administration_routes(cfg);
}

/// Pages of an environment's features and segments.
fn environment_routes(cfg: &mut ServiceConfig) {
    let get = uniform::get;
    let post = uniform::post;
    let environment = "/sites/{site}/environments/{environment}";
    let features = &format!("{environment}/features");
    let feature = &format!("{features}/{{key}}");
    let rule = &format!("{feature}/rules/{{rule}}");
    let segments = &format!("{environment}/segments");
    let contexts = &format!("{environment}/contexts");
    let context = &format!("{contexts}/{{context}}");
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
        .route(&format!("{environment}/analytics"), get().to(analytics::show))
        .route(&format!("{environment}/analytics/settings"), post().to(analytics::settings))
        .route(&format!("{feature}/override"), post().to(contexts::overrides::set))
        .route(&format!("{feature}/override/lift"), post().to(contexts::overrides::lift))
        .route(contexts, get().to(contexts::list::show))
        .route(contexts, post().to(contexts::list::create))
        .route(context, get().to(contexts::page::show))
        .route(context, post().to(contexts::forms::post))
        .route(&format!("{context}/delete"), get().to(contexts::forms::ask_delete))
        .route(&format!("{context}/delete"), post().to(contexts::forms::delete))
        .route(segments, get().to(segments::list))
        .route(&format!("{segments}/{{segment}}"), get().to(segments::show))
        .route(&format!("{segments}/{{segment}}"), post().to(segments::post))
        .route(&format!("{segments}/{{segment}}/undo"), post().to(segments::undo))
        .route(&format!("{segments}/{{segment}}/delete"), post().to(segments::delete));
}

fn administration_routes(cfg: &mut ServiceConfig) {
    use administration::{gdpr, outbox, two_factor, users};
    let get = uniform::get;
    let post = uniform::post;
    cfg.route("/admin/users", get().to(users::list))
        .route("/admin/users", post().to(users::create))
        .route("/admin/users/new", get().to(users::show_new))
        .route("/admin/users/{user}", get().to(users::show))
        .route("/admin/users/{user}", post().to(users::update))
        .route("/admin/users/{user}/activate", post().to(users::activate))
        .route("/admin/users/{user}/deactivate", post().to(users::deactivate))
        .route("/admin/users/{user}/reset-two-factor", post().to(users::reset_two_factor))
        .route("/admin/users/{user}/delete", post().to(users::delete))
        .route("/admin/two-factor", get().to(two_factor::show))
        .route("/admin/two-factor/enforce", post().to(two_factor::enforce))
        .route("/admin/two-factor/remind", post().to(two_factor::remind))
        .route("/admin/gdpr", get().to(gdpr::show))
        .route("/admin/gdpr", post().to(gdpr::create))
        .route("/admin/gdpr/{request}/download", get().to(gdpr::download))
        .route("/admin/gdpr/{request}/delete", post().to(gdpr::delete))
        .route("/admin/outbox", get().to(outbox::show))
        .route("/admin/outbox/{mail}/retry", post().to(outbox::retry))
        .route("/admin/outbox/{mail}/delete", post().to(outbox::delete));
}
