//! The doors for people: server-rendered pages that work with forms and links alone; htmx and `app.js` make
//! them better. One file per page: handler and view.

pub mod account;
pub mod administration;
pub mod assets;
pub mod components;
pub mod dashboard;
pub mod door;
pub mod edit;
pub mod failure;
pub mod layout;
pub mod qr;
pub mod reset;
pub mod second_step;
pub mod url;

use actix_web::web::{self, ServiceConfig};

/// Every page, on one screen.
pub fn routes(cfg: &mut ServiceConfig) {
    let get = web::get;
    let post = web::post;
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
        .route("/account", get().to(account::show))
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
        .route("/account/tokens/{token}/revoke", post().to(account::revoke_token))
        .configure(administration_routes);
}

fn administration_routes(cfg: &mut ServiceConfig) {
    use administration::{outbox, two_factor, users};
    let get = web::get;
    let post = web::post;
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
        .route("/admin/outbox", get().to(outbox::show))
        .route("/admin/outbox/{mail}/retry", post().to(outbox::retry))
        .route("/admin/outbox/{mail}/delete", post().to(outbox::delete));
}
