//! The doors for people: server-rendered pages that work with forms and links alone; htmx and `app.js` make
//! them better. One file per page: handler and view.

pub mod assets;
pub mod audit;
pub mod components;
pub mod dashboard;
pub mod door;
pub mod edit;
pub mod failure;
pub mod find;
pub mod help;
pub mod layout;
pub mod sites;
pub mod test;
pub mod tokens;
pub mod url;

use actix_web::web::{self, ServiceConfig};

use crate::error::{Error, Result};

/// Runs what touches the database on a thread where that may take its time.
pub async fn block<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    web::block(f).await.map_err(Error::internal)?
}

/// Every page, on one screen.
pub fn routes(cfg: &mut ServiceConfig) {
    let get = web::get;
    let post = web::post;
    let env = "/sites/{site}/environments/{environment}";
    let at = |rest: &str| format!("{env}{rest}");
    cfg.route("/assets/{hash}/{name}", get().to(assets::serve))
        .route("/signin", get().to(door::show))
        .route("/signin", post().to(door::sign_in))
        .route("/signout", post().to(door::sign_out))
        .route("/setup/{link}", get().to(door::show_setup))
        .route("/setup/{link}", post().to(door::setup))
        .route("/", get().to(dashboard::show))
        .route("/find", get().to(find::show))
        .route("/help", get().to(help::index))
        .route("/help/{page}", get().to(help::show))
        .route("/audit", get().to(audit::all))
        .route("/sites", get().to(sites::list))
        .route("/sites", post().to(sites::create))
        .route("/sites/{site}", get().to(sites::show))
        .route("/sites/{site}", post().to(sites::update))
        .route("/sites/{site}/owner", post().to(sites::transfer))
        .route("/sites/{site}/delete", post().to(sites::delete))
        .route("/sites/{site}/document", get().to(sites::document))
        .route("/sites/{site}/environments", post().to(sites::create_environment))
        .route(env, get().to(sites::environment))
        .route(&at("/settings"), get().to(sites::settings))
        .route(&at("/settings"), post().to(sites::update_environment))
        .route(&at("/delete"), post().to(sites::delete_environment))
        .route(&at("/test"), get().to(test::show))
        .route(&at("/audit"), get().to(audit::of_environment))
        .route(&at("/tokens"), get().to(tokens::list))
        .route(&at("/tokens"), post().to(tokens::create))
        .route(&at("/tokens/{token}/rotate"), post().to(tokens::rotate))
        .route(&at("/tokens/{token}/revoke"), post().to(tokens::revoke));
}
