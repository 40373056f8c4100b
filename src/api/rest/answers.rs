//! Which refusals a route can answer with, for the description of the API. Each is one shared response, made from
//! the error it stands for, so status, code and shape are those of [`crate::error`].

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::api::ErrorBody;
use crate::engine::decode::FieldError;
use crate::error::Error;
use crate::live::limits::Standing;

/// A way to be refused that many routes share.
#[derive(Clone, Copy)]
pub enum Refusal {
    BadRequest,
    Unauthenticated,
    Forbidden,
    NotFound,
    Archived,
    VersionConflict,
    TooLarge,
    UnsupportedMediaType,
    Invalid,
    Limited,
    Internal,
    Unavailable,
}

impl Refusal {
    /// Every one.
    pub const ALL: [Self; 12] = [
        Self::BadRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Archived,
        Self::VersionConflict,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Invalid,
        Self::Limited,
        Self::Internal,
        Self::Unavailable,
    ];

    /// Its name among the shared responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "BadRequest",
            Self::Unauthenticated => "Unauthenticated",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::Archived => "Archived",
            Self::VersionConflict => "VersionConflict",
            Self::TooLarge => "TooLarge",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
            Self::Invalid => "Invalid",
            Self::Limited => "Limited",
            Self::Internal => "Internal",
            Self::Unavailable => "Unavailable",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::BadRequest => {
                "The request cannot be read: not JSON (`bad_json`), a member that does not exist (`unknown_field`), a \
                 query parameter (`unknown_parameter`, `invalid_cursor`) or header (`invalid_if_match`) that is none."
            }
            Self::Unauthenticated => "No credential, or one that is unknown, expired or revoked.",
            Self::Forbidden => "The credential is known, but not for this.",
            Self::NotFound => "What the path names is not there.",
            Self::Archived => "The environment is archived.",
            Self::VersionConflict => {
                "Somebody changed the feature meanwhile; `details.version` is its version now."
            }
            Self::TooLarge => "The body is larger than 1 MiB (64 MiB for imports, 8 MiB of YAML).",
            Self::UnsupportedMediaType => "The body is of a type that is not read here.",
            Self::Invalid => {
                "Values that are wrong: `details` lists every one (`invalid`), or the code says what is wrong as a \
                 whole (`segment_cycle`, `prototype_graph_too_large`)."
            }
            Self::Limited => "Over the rate limit of the token.",
            Self::Internal => "A fault of the server; `details.requestId` finds it in the log.",
            Self::Unavailable => {
                "The environment is in maintenance (`environment_maintenance`), or the database cannot be used at the \
                 moment (`unavailable`)."
            }
        }
    }

    /// An error of this kind.
    fn error(self) -> Error {
        let problem =
            |field: &str, message: &str| FieldError { field: field.into(), message: message.into() };
        match self {
            Self::BadRequest => Error::UnknownField(vec![problem("colour", "is not a known member")]),
            Self::Unauthenticated => Error::Unauthenticated("this token is unknown, expired or revoked"),
            Self::Forbidden => Error::Forbidden("this needs the role editor"),
            Self::NotFound => Error::NotFound("feature new_checkout".into()),
            Self::Archived => Error::Archived,
            Self::VersionConflict => Error::VersionConflict(8),
            Self::TooLarge => Error::TooLarge(crate::api::request::MAX_BODY),
            Self::UnsupportedMediaType => Error::UnsupportedMediaType("application/json"),
            Self::Invalid => Error::Invalid(vec![
                problem("rules[0].rollout.percentage", "must be between 0 and 100"),
                problem("rules[0].outcome", "is required"),
            ]),
            Self::Limited => Error::Limited(Standing { limit: 100, remaining: 0, reset: 17, allowed: false }),
            Self::Internal => Error::internal("a fault"),
            Self::Unavailable => Error::Maintenance,
        }
    }

    fn status(self) -> String {
        self.error().status().as_u16().to_string()
    }

    /// The shared response.
    pub fn response(self) -> Response {
        let error = self.error();
        let mut example = serde_json::to_value(ErrorBody::from(&error)).unwrap_or_default();
        if let (Self::Internal, Some(error)) = (self, example.get_mut("error")) {
            error["details"] = serde_json::json!({"requestId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0b01"});
        }
        let mut response = refusal(self.description(), example);
        if error.retry_after().is_some() {
            response.headers.insert("Retry-After".into(), seconds("Seconds after which to try again."));
        }
        match self {
            Self::Unauthenticated => {
                let header = HeaderBuilder::new().description(Some("`Bearer`"));
                response.headers.insert("WWW-Authenticate".into(), header.build());
            }
            Self::Limited => {
                for (name, description) in [
                    ("RateLimit-Limit", "Requests a minute."),
                    ("RateLimit-Remaining", "Requests left in this minute."),
                    ("RateLimit-Reset", "Seconds until the minute is over."),
                ] {
                    response.headers.insert(name.into(), seconds(description));
                }
            }
            _ => {}
        }
        response
    }
}

fn seconds(description: &str) -> utoipa::openapi::header::Header {
    HeaderBuilder::new()
        .schema(ObjectBuilder::new().schema_type(Type::Integer))
        .description(Some(description))
        .build()
}

fn refusal(description: &str, example: Value) -> Response {
    let schema = Ref::from_schema_name(ErrorBody::name());
    let content = ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

fn refer(refusals: &[&[Refusal]]) -> BTreeMap<String, RefOr<Response>> {
    refusals
        .iter()
        .flat_map(|some| some.iter())
        .map(|refusal| (refusal.status(), Ref::from_response_name(refusal.name()).into()))
        .collect()
}

macro_rules! groups {
    ($($(#[$doc:meta])* $name:ident: $($refusals:expr),+;)*) => {
        $(
            $(#[$doc])*
            pub struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    refer(&[$($refusals),+])
                }
            }
        )*
    };
}

use Refusal::{
    Archived, BadRequest, Forbidden, Internal, Invalid, Limited, NotFound, TooLarge, Unauthenticated,
    Unavailable, UnsupportedMediaType, VersionConflict,
};

const READ: &[Refusal] = &[Unauthenticated, Forbidden, NotFound, Internal, Unavailable];
const BODY: &[Refusal] = &[BadRequest, TooLarge, UnsupportedMediaType, Invalid];
const SERVE: &[Refusal] = &[Unauthenticated, Forbidden, Archived, Limited, Internal, Unavailable];

groups! {
    /// Reading as a person.
    Reads: READ;
    /// Reading what takes no parameters and refuses them.
    StrictReads: READ, &[BadRequest];
    /// Searching a list page by page.
    Searches: READ, &[BadRequest, Invalid];
    /// Changing something with a body.
    Writes: READ, BODY;
    /// Changing a feature, or a part of it, with a body, at a version.
    VersionedWrites: READ, BODY, &[VersionConflict];
    /// Deleting something.
    Removes: READ;
    /// Deleting a part of a feature, at a version.
    VersionedRemoves: READ, &[BadRequest, VersionConflict];
    /// Deleting a feature, at a version, with parameters.
    FeatureRemoves: READ, &[BadRequest, VersionConflict, Invalid];
    /// Evaluating for a posted context.
    Evaluates: SERVE, BODY;
    /// Explaining, for people and for clients.
    Explains: READ, BODY, &[Limited];
    /// Evaluating for a context in the query.
    EvaluatesQuery: SERVE, &[BadRequest, Invalid];
    /// Serving what needs no context.
    Serves: SERVE;
    /// Changing a Context, by people and tokens.
    ContextWrites: READ, BODY, &[VersionConflict, Limited];
    /// Deleting a Context or a value of it, by people and tokens.
    ContextRemoves: READ, &[BadRequest, VersionConflict, Invalid, Limited];
    /// Looking Contexts up, by people and tokens.
    ContextLookups: READ, SERVE, &[BadRequest, Invalid];
    /// A path of features, for people and for clients.
    ReadsOrEvaluates: READ, SERVE, &[BadRequest, Invalid];
}
