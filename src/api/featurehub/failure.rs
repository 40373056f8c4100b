//! How an error looks to FeatureHub's clients (featurehub.md §2): they give up for good on a 4xx, so what passes
//! is 503.

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, ResponseError};

use crate::error::Error;

/// An answer that is none.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    message: String,
    retry_after: Option<u64>,
}

impl Failure {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after: None }
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::Archived => StatusCode::NOT_FOUND,
            Error::Limited(_) | Error::Maintenance | Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Error::Internal(inner) => {
                tracing::error!(error = %inner, "internal error");
                StatusCode::INTERNAL_SERVER_ERROR
            }
            // Stored Contexts that cannot be followed: an administrator's to mend.
            Error::Unprocessable(..) => StatusCode::SERVICE_UNAVAILABLE,
            Error::Conflict(..) => StatusCode::PRECONDITION_FAILED,
            other => other.status(),
        };
        let retry_after = error.retry_after().or((status == StatusCode::SERVICE_UNAVAILABLE).then_some(30));
        Self { status, message: error.to_string(), retry_after }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds));
        }
        response.content_type("text/plain; charset=utf-8").body(self.message.clone())
    }
}
