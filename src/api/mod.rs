//! The doors for programs. A door translates and nothing else.

pub mod cors;
pub mod direct;
pub mod featuresd;
pub mod packed;
pub mod plain;
pub mod request;
pub mod rest;

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::auth::extract::limit_headers;
use crate::engine::decode::FieldError;
use crate::error::Error;

/// The shape of every error of the native API.
#[derive(Serialize, ToSchema)]
#[schema(as = Error, example = json!({"error": {
    "code": "invalid", "message": "2 problems in the request", "details": [
        {"field": "rules[0].rollout.percentage", "message": "must be between 0 and 100"},
        {"field": "rules[0].outcome", "message": "is required"}
    ]
}}))]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

/// What is wrong.
#[derive(Serialize, ToSchema)]
pub struct ErrorDetail {
    /// A stable word for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub message: String,
    /// For `invalid` and `unknown_field` the list of all problems, `[{"field", "message"}]`; an object for some
    /// other codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ErrorDetails>)]
    pub details: Option<Value>,
}

/// More about an error: every problem of the request, or an object.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum ErrorDetails {
    Problems(Vec<FieldError>),
    Object(BTreeMap<String, Value>),
}

impl From<&Error> for ErrorBody {
    fn from(error: &Error) -> Self {
        Self {
            error: ErrorDetail { code: error.code(), message: error.to_string(), details: error.details() },
        }
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = ErrorBody::from(self);
        if let Self::Internal(inner) = self {
            let id = uuid::Uuid::now_v7().to_string();
            tracing::error!(request_id = %id, error = %inner, "internal error");
            body.error.details = Some(json!({ "requestId": id }));
        }
        let mut response = HttpResponse::build(self.status()).json(body);
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
