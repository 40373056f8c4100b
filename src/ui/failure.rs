//! What a page says when it cannot be shown: a way back to where the person was, or why not.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, ResponseError};
use maud::html;

use super::layout;
use crate::error::Error;

/// See the module.
#[derive(Debug)]
pub enum Failure {
    /// Nobody is signed in; afterwards they go on there.
    SignIn(String),
    /// The second factor is owed.
    SecondStep(String),
    /// A second factor must be set up before anything else.
    SetUpTwoFactor,
    /// The form was made for another session: back to the page, which says so.
    StaleForm(String),
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::SignIn(_) => f.write_str("nobody is signed in"),
            Self::SecondStep(_) => f.write_str("the second step is owed"),
            Self::SetUpTwoFactor => f.write_str("a second factor must be set up"),
            Self::StaleForm(_) => f.write_str("the form was out of date"),
            Self::Error(error) => error.fmt(f),
        }
    }
}

/// A redirect that turns a POST into a GET.
pub fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, location)).finish()
}

fn with_next(path: &str, next: &str) -> String {
    if next == "/" || !next.starts_with('/') || next.starts_with("//") {
        return path.to_owned();
    }
    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    format!("{path}?next={next}")
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Error(error) => error.status(),
            _ => StatusCode::SEE_OTHER,
        }
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::SignIn(next) => see_other(&with_next("/signin", next)),
            Self::SecondStep(next) => see_other(&with_next("/signin/code", next)),
            Self::SetUpTwoFactor => see_other("/account?must=two-factor#tfa"),
            Self::StaleForm(back) => {
                let mut response = see_other(back);
                let note = layout::Toast::say(
                    "That form was out of date, so nothing was changed. Please try again.",
                );
                let _ = response.add_cookie(&note.cookie());
                response
            }
            Self::Error(error) => error_page(error),
        }
    }
}

fn error_page(error: &Error) -> HttpResponse {
    if let Error::Internal(inner) = error {
        tracing::error!(error = %inner, "a page failed");
    }
    let (title, text) = match error {
        Error::NotFound(what) | Error::Missing(_, what) => {
            ("Not here", format!("{what} does not exist, or not any more."))
        }
        Error::Forbidden(why) => ("Not allowed", format!("Your role does not reach that far: {why}.")),
        Error::Internal(_) => {
            ("Something went wrong", "It is in the server's log. Nothing was half done.".into())
        }
        other => ("That did not work", other.to_string()),
    };
    let body = html! {
        div.head { div { h1 { (title) } p.lede { (text) } } }
        p { a href="/" { "To the dashboard" } }
    };
    layout::bare_response(error.status(), title, body)
}
