//! The compatibility surface of featuresd (`spec: featuresd.md` §6.3): what its home page shows, on stored Contexts. At
//! `/featuresd/api/…`, with a token in the path at `/featuresd/{token}/api/…`, and with `--featuresd-root` at
//! `/api/features` and `/api/contexts` too. Known deviations: no expression matching (§8).

mod guest;
mod handlers;
mod wire;

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{Resource, Result as ActixResult};

pub use guest::INSECURE;

use crate::app::App;
use crate::error::Error;
use crate::uniform;

async fn method_not_allowed() -> ActixResult<&'static str> {
    Err(Error::MethodNotAllowed.into())
}

/// Every route of the door, on one screen. A slash at the end is accepted here and only here.
pub fn routes(cfg: &mut ServiceConfig) {
    let get = uniform::get;
    let post = uniform::post;
    let delete = uniform::delete;
    let feature = "/features/{feature:[^/]+}";
    let context = "/contexts/{context:[^/]+}";
    let mut add = |path: &str, fill: &dyn Fn(Resource) -> Resource| {
        let bases = ["/featuresd/api", "/featuresd/{token:[^/]+}/api"];
        let at = |base: &str| format!("{base}{path}{{slash:/?}}");
        let resource = |paths: Vec<String>| web::resource(paths).default_service(web::to(method_not_allowed));
        cfg.service(fill(resource(bases.map(at).to_vec())));
        // The same without the prefix, where that was asked for.
        cfg.service(fill(resource(vec![at("/api")])).guard(actix_web::guard::fn_guard(|request| {
            request.app_data::<Data<App>>().is_some_and(|app| app.config.featuresd_root)
        })));
    };
    add("/features", &|resource| {
        resource.route(get().to(handlers::list_features)).route(post().to(handlers::make_feature))
    });
    add(feature, &|resource| {
        resource.route(get().to(handlers::get_feature)).route(delete().to(handlers::delete_feature))
    });
    add("/contexts", &|resource| {
        resource.route(get().to(handlers::list_contexts)).route(post().to(handlers::merge_context))
    });
    add(context, &|resource| {
        resource.route(get().to(handlers::get_context)).route(delete().to(handlers::delete_context))
    });
    add(&format!("{context}/features"), &|resource| resource.route(get().to(handlers::look_up)));
}
