//! Routes that programs ask all the time, without the layers that stand around the others.

use std::borrow::Cow;
use std::time::Instant;

use actix_web::guard;
use actix_web::http::Method;
use actix_web::http::header::ORIGIN;
use actix_web::web::{self, Data, Payload};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, ResponseError, Scope};

use super::cors;
use crate::app::App;
use crate::auth::secret::TOKEN_PREFIX;

/// What an answer owes before it goes out: CORS, metrics, a log line.
pub fn conclude(app: &App, req: &HttpRequest, response: &mut HttpResponse, started: Instant) {
    if req.headers().contains_key(ORIGIN) {
        cors::decorate(req, &app.config.allowed_origins, response.headers_mut());
    }
    let status = response.status().as_u16();
    let elapsed = started.elapsed();
    app.metrics.answered(status, elapsed.as_secs_f64());
    tracing::debug!(
        method = %req.method(),
        // Without the query: tokens and people's attributes stand there.
        path = %loggable(req.path()),
        status,
        micros = elapsed.as_micros() as u64,
        "answered"
    );
}

/// A path as the log may hold it: without tokens, which stand in some.
fn loggable(path: &str) -> Cow<'_, str> {
    if path.starts_with("/features/") {
        // FeatureHub's keys begin with nothing to tell them by.
        return "/features/…".into();
    }
    if !path.contains(TOKEN_PREFIX) {
        return path.into();
    }
    let hide = |part: &str| if part.starts_with(TOKEN_PREFIX) { "…" } else { part }.to_owned();
    path.split('/').map(hide).collect::<Vec<_>>().join("/").into()
}

/// The requests below a path that one handler takes, by their method and the rest of their path, as it was sent.
/// The others go on to the routes that follow. Matching a pattern of the router costs as much as answering.
pub fn below(path: &'static str, method: Method, fits: fn(&str) -> bool) -> Scope {
    web::scope(path).guard(guard::fn_guard(move |ctx| {
        let head = ctx.head();
        head.method == method && head.uri.path().strip_prefix(path).is_some_and(fits)
    }))
}

/// A handler that nothing stands around: a path of its own or [`below`] one, one method (a guard), and what `routes::around`
/// does for the others is done here. A layer costs such a request more than its work does.
pub fn direct<A, E, F>(handler: F) -> impl Handler<(Data<App>, HttpRequest, Payload), Output = HttpResponse>
where
    A: FromRequest<Error: Into<actix_web::Error>> + 'static,
    E: ResponseError + 'static,
    F: AsyncFn(Data<App>, A) -> Result<HttpResponse, E> + Clone + 'static,
{
    move |app: Data<App>, req: HttpRequest, payload: Payload| {
        let handler = handler.clone();
        async move {
            let started = Instant::now();
            let mut response = match A::from_request(&req, &mut payload.into_inner()).await {
                Ok(arguments) => match handler(app.clone(), arguments).await {
                    Ok(response) => response,
                    Err(error) => error.error_response(),
                },
                Err(error) => Into::<actix_web::Error>::into(error).error_response(),
            };
            conclude(&app, &req, &mut response, started);
            response
        }
    }
}
