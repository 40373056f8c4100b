//! Errors by what the caller can do about them, and the one table from error to HTTP status.

use std::fmt;

use actix_web::http::StatusCode;
use serde_json::Value;

use crate::engine::decode::{FieldError, Problems};
use crate::live::limits::Standing;

pub type Result<T> = std::result::Result<T, Error>;

/// See the module. Texts are for people; programs match on [`Error::code`].
#[derive(Debug)]
pub enum Error {
    /// The body is not JSON, or not an object.
    BadJson(String),
    /// The body has members that do not exist.
    UnknownField(Vec<FieldError>),
    /// A query parameter or cursor cannot be read: code and text.
    BadRequest(&'static str, String),
    /// Values that are wrong: all of them, so a form can show each beside its field.
    Invalid(Vec<FieldError>),
    /// Invalid as a whole, with a code of its own and details.
    Unprocessable(&'static str, String, Value),
    Unauthenticated(&'static str),
    Forbidden(&'static str),
    /// What was not found, with its name.
    NotFound(String),
    /// What was not found, with a code of its own.
    Missing(&'static str, String),
    MethodNotAllowed,
    /// Code, text and details.
    Conflict(&'static str, String, Value),
    /// The version that is current.
    VersionConflict(u64),
    TooLarge(usize),
    UnsupportedMediaType(&'static str),
    /// Over the rate limit.
    Limited(Standing),
    /// An archived environment.
    Archived,
    /// An environment in maintenance.
    Maintenance,
    /// The database cannot be written or read at the moment.
    Unavailable(String),
    /// A fault of ours. Logged in full, shown to nobody.
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A single wrong value.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field: field.into(), message: message.into() }])
    }

    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict(code, message.into(), Value::Null)
    }

    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    /// The stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadJson(_) => "bad_json",
            Self::UnknownField(_) => "unknown_field",
            Self::BadRequest(code, _) | Self::Conflict(code, ..) | Self::Unprocessable(code, ..) => code,
            Self::Invalid(_) => "invalid",
            Self::Unauthenticated(_) => "unauthenticated",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not_found",
            Self::Missing(code, _) => code,
            Self::MethodNotAllowed => "method_not_allowed",
            Self::VersionConflict(_) => "version_conflict",
            Self::TooLarge(_) => "body_too_large",
            Self::UnsupportedMediaType(_) => "unsupported_media_type",
            Self::Limited(_) => "rate_limited",
            Self::Archived => "environment_archived",
            Self::Maintenance => "environment_maintenance",
            Self::Unavailable(_) => "unavailable",
            Self::Internal(_) => "internal",
        }
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadJson(_) | Self::UnknownField(_) | Self::BadRequest(..) => StatusCode::BAD_REQUEST,
            Self::Invalid(_) | Self::Unprocessable(..) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) | Self::Missing(..) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(..) => StatusCode::CONFLICT,
            Self::VersionConflict(_) => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Limited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Archived => StatusCode::GONE,
            Self::Maintenance | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Seconds after which trying again makes sense.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Limited(standing) => Some(standing.reset),
            Self::Maintenance => Some(30),
            Self::Unavailable(_) => Some(5),
            _ => None,
        }
    }

    /// What programs get beside the text: the list of field problems, or an object.
    pub fn details(&self) -> Option<Value> {
        match self {
            Self::UnknownField(fields) | Self::Invalid(fields) => serde_json::to_value(fields).ok(),
            Self::Conflict(_, _, details) | Self::Unprocessable(_, _, details) if !details.is_null() => {
                Some(details.clone())
            }
            Self::VersionConflict(version) => Some(serde_json::json!({ "version": version })),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::BadJson(text) | Self::BadRequest(_, text) => f.write_str(text),
            Self::Conflict(_, text, _) | Self::Unprocessable(_, text, _) => f.write_str(text),
            Self::UnknownField(fields) | Self::Invalid(fields) => match fields.as_slice() {
                [one] => write!(f, "{} {}", name(&one.field), one.message),
                many => write!(f, "{} problems in the request", many.len()),
            },
            Self::Unauthenticated(text) | Self::Forbidden(text) => f.write_str(text),
            Self::NotFound(what) | Self::Missing(_, what) => write!(f, "{what} does not exist"),
            Self::MethodNotAllowed => f.write_str("this path does not take that method"),
            Self::VersionConflict(version) => {
                write!(f, "somebody else changed it meanwhile; its version is now {version}")
            }
            Self::TooLarge(limit) => write!(f, "the body is larger than {limit} bytes"),
            Self::UnsupportedMediaType(wanted) => write!(f, "the content type must be {wanted}"),
            Self::Limited(standing) => write!(f, "too many requests; try again in {} s", standing.reset),
            Self::Archived => f.write_str("this environment is archived"),
            Self::Maintenance => f.write_str("this environment is in maintenance"),
            Self::Unavailable(why) => write!(f, "the database is not available: {why}"),
            Self::Internal(_) => f.write_str("internal error"),
        }
    }
}

impl Error {
    /// One line for the person at the terminal, who is told more than a stranger over HTTP.
    pub fn explain(&self) -> String {
        match self {
            Self::Internal(inner) => inner.to_string(),
            Self::Invalid(fields) | Self::UnknownField(fields) => {
                let lines: Vec<_> = fields.iter().map(|f| format!("{} {}", f.field, f.message)).collect();
                lines.join("; ")
            }
            other => other.to_string(),
        }
    }
}

/// Why a command could not be carried out, in one line.
#[derive(Debug)]
pub enum Failure {
    /// It was asked for wrongly: exit code 2.
    Usage(String),
    /// Anything else: exit code 1.
    Other(String),
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Other(message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error.explain())
    }
}

fn name(field: &str) -> &str {
    if field.is_empty() { "the body" } else { field }
}

impl std::error::Error for Error {}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen,
            ) => Self::Unavailable(error.to_string()),
            _ => Self::internal(error),
        }
    }
}

impl From<r2d2::Error> for Error {
    fn from(error: r2d2::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<crate::engine::snapshot::ChainTooLarge> for Error {
    fn from(_: crate::engine::snapshot::ChainTooLarge) -> Self {
        Self::Unprocessable(
            "prototype_graph_too_large",
            "the look-up visits more than 1000 Contexts or descends more than 32 levels".into(),
            Value::Null,
        )
    }
}

/// Turns collected problems into the error that lists them all.
pub fn check(problems: Problems) -> Result<()> {
    if !problems.unknown.is_empty() {
        return Err(Error::UnknownField(problems.unknown));
    }
    if !problems.invalid.is_empty() {
        return Err(Error::Invalid(problems.invalid));
    }
    Ok(())
}
