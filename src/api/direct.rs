//! Routes that programs ask all the time: found and answered before the framework's router. Matching its patterns, and
//! the layers that stand around a handler, cost such a request more than its work does.

use std::borrow::Cow;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::time::Instant;

use actix_http::Request;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{
    AppConfig, Payload, RequestHead, Response, Service, ServiceFactory, ServiceResponse, always_ready,
};
use actix_web::http::header::ORIGIN;
use actix_web::http::{ConnectionType, Method};
use actix_web::web::Data;
use actix_web::{HttpResponse, ResponseError};
use futures_util::future::LocalBoxFuture;
use tokio::sync::OnceCell;

use super::cors;
use crate::app::App;
use crate::auth::secret::TOKEN_PREFIX;
use crate::error::Error;

/// What an answer owes before it goes out: its end told, CORS, metrics, a log line.
pub fn conclude(app: &App, head: &RequestHead, response: &mut HttpResponse, started: Instant) {
    // Java's HttpClient offers HTTP/2 with every request that is not encrypted. There the framework closes after its
    // answer (`actix_http::h1::Codec::keep_alive`) without saying so, and the client loses its next request.
    if head.connection_type() == ConnectionType::Upgrade {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    if head.headers.contains_key(ORIGIN) {
        cors::decorate(head, &app.config.allowed_origins, response.headers_mut());
    }
    let status = response.status().as_u16();
    let elapsed = started.elapsed();
    app.metrics.answered(status, elapsed.as_secs_f64());
    tracing::debug!(
        method = %head.method,
        // Without the query: tokens and people's attributes stand there.
        path = %loggable(head.uri.path()),
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

/// What answers a route of these, from the whole request.
pub type Hot = fn(Data<App>, Request) -> Answer;

/// An answer to come.
pub type Answer = LocalBoxFuture<'static, Result<Response<BoxBody>, actix_web::Error>>;

/// Does the work of a route, and what `routes::around` does for the others.
pub fn answer<E, F>(app: Data<App>, mut request: Request, work: F) -> Answer
where
    E: ResponseError,
    F: AsyncFnOnce(&App, &RequestHead, Payload) -> Result<HttpResponse, E> + 'static,
{
    Box::pin(async move {
        let started = Instant::now();
        let payload = request.take_payload();
        let done = work(&app, request.head(), payload).await;
        let mut response = done.unwrap_or_else(|error| error.error_response());
        conclude(&app, request.head(), &mut response, started);
        Ok(response.into())
    })
}

/// The framework's routes, with these before them. The framework's are made with the first request that needs them:
/// compiling all their patterns is a good part of a start, and clients that evaluate never need them.
#[derive(Clone)]
pub struct Front<F> {
    pub app: Data<App>,
    pub find: fn(&RequestHead) -> Option<Hot>,
    pub others: F,
}

/// The same on one thread, serving.
pub struct Serving<F, S: Routes<ServiceResponse>> {
    front: Front<F>,
    config: AppConfig,
    others: Rc<OnceCell<S::Service>>,
}

/// Routes as the framework takes them.
pub trait Routes<R>:
    ServiceFactory<Request, Config = AppConfig, Response = R, Error = actix_web::Error, InitError = ()> + 'static
{
}

impl<R, S> Routes<R> for S where
    S: ServiceFactory<Request, Config = AppConfig, Response = R, Error = actix_web::Error, InitError = ()>
        + 'static
{
}

impl<F, S> ServiceFactory<Request> for Front<F>
where
    F: Fn(Data<App>) -> S + Clone + 'static,
    S: Routes<ServiceResponse>,
{
    type Response = Response<BoxBody>;
    type Error = actix_web::Error;
    type Config = AppConfig;
    type Service = Serving<F, S>;
    type InitError = ();
    type Future = Ready<Result<Self::Service, ()>>;

    fn new_service(&self, config: AppConfig) -> Self::Future {
        ready(Ok(Serving { front: self.clone(), config, others: Rc::default() }))
    }
}

impl<F, S> Serving<F, S>
where
    F: Fn(Data<App>) -> S + Clone + 'static,
    S: Routes<ServiceResponse>,
{
    /// HEAD is GET whose body is not sent (RFC 9110 §9.3.2): the framework leaves it out, but it would wait for the end
    /// of a stream.
    fn without_body(&self, mut request: Request) -> Answer {
        request.head_mut().method = Method::GET;
        let answer = self.call(request);
        Box::pin(async move {
            let response = answer.await?;
            Ok(match response.body().size() {
                BodySize::Stream => response.set_body(BoxBody::new(())),
                _ => response,
            })
        })
    }
}

impl<F, S> Service<Request> for Serving<F, S>
where
    F: Fn(Data<App>) -> S + Clone + 'static,
    S: Routes<ServiceResponse>,
{
    type Response = Response<BoxBody>;
    type Error = actix_web::Error;
    type Future = Answer;

    always_ready!();

    fn call(&self, request: Request) -> Self::Future {
        if request.head().method == Method::HEAD {
            return self.without_body(request);
        }
        if let Some(hot) = (self.front.find)(request.head()) {
            return hot(self.front.app.clone(), request);
        }
        let (front, config, others) = (self.front.clone(), self.config.clone(), self.others.clone());
        Box::pin(async move {
            let others = others.get_or_try_init(|| (front.others)(front.app).new_service(config)).await;
            let others = others.map_err(|_| Error::internal("the routes cannot be made"))?;
            Ok(others.call(request).await?.into())
        })
    }
}
