//! The doors for programs. A door translates and nothing else.

pub mod cors;
pub mod plain;
pub mod request;
pub mod rest;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::auth::extract::limit_headers;
use crate::error::Error;

/// The shape of every error of the native API.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

#[derive(Serialize, ToSchema)]
pub struct ErrorDetail {
    /// A stable word for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub message: String,
    /// For `invalid` and `unknown_field` the list of all problems, `[{"field", "message"}]`; an object for some
    /// other codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut details = self.details();
        if let Self::Internal(inner) = self {
            let id = uuid::Uuid::now_v7().to_string();
            tracing::error!(request_id = %id, error = %inner, "internal error");
            details = Some(json!({ "requestId": id }));
        }
        let error = ErrorDetail { code: self.code(), message: self.to_string(), details };
        let mut response = HttpResponse::build(self.status()).json(ErrorBody { error });
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        match self {
            Self::Unauthenticated(_) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Limited(standing) => limit_headers(headers, *standing),
            _ => {}
        }
        response
    }
}
