//! Routes whose handlers all have one type. The framework builds what stands around a handler once for each type,
//! which for all of them together would be a tenth of the binary.

use std::rc::Rc;

use actix_web::dev::Payload as DevPayload;
use actix_web::web::{self, Payload};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder, Route};
use futures_util::future::LocalBoxFuture;

type Call = dyn Fn(HttpRequest, DevPayload) -> LocalBoxFuture<'static, HttpResponse>;

#[derive(Clone)]
struct Uniform(Rc<Call>);

impl Handler<(HttpRequest, Payload)> for Uniform {
    type Output = HttpResponse;
    type Future = LocalBoxFuture<'static, HttpResponse>;

    fn call(&self, (req, payload): (HttpRequest, Payload)) -> Self::Future {
        (self.0)(req, payload.into_inner())
    }
}

fn uniform<H, A>(handler: H) -> Uniform
where
    H: Handler<A, Output: Responder + 'static>,
    A: FromRequest + 'static,
{
    Uniform(Rc::new(move |req, mut payload| {
        let handler = handler.clone();
        Box::pin(async move {
            match A::from_request(&req, &mut payload).await {
                Ok(arguments) => handler.call(arguments).await.respond_to(&req).map_into_boxed_body(),
                Err(error) => HttpResponse::from_error(error),
            }
        })
    }))
}

/// A route of one method, without its handler.
pub struct Verb(Route);

impl Verb {
    /// The route with its handler.
    pub fn to<H, A>(self, handler: H) -> Route
    where
        H: Handler<A, Output: Responder + 'static>,
        A: FromRequest + 'static,
    {
        self.0.to(uniform(handler))
    }
}

/// Any method.
pub fn any() -> Verb {
    Verb(web::route())
}

pub fn get() -> Verb {
    Verb(web::get())
}

pub fn post() -> Verb {
    Verb(web::post())
}

pub fn put() -> Verb {
    Verb(web::put())
}

pub fn patch() -> Verb {
    Verb(web::patch())
}

pub fn delete() -> Verb {
    Verb(web::delete())
}
