//! The doors for people: server-rendered pages that work with forms and links alone; htmx and `app.js` make
//! them better. One file per page: handler and view.

pub mod assets;
pub mod components;
pub mod dashboard;
pub mod door;
pub mod edit;
pub mod failure;
pub mod layout;
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
}
