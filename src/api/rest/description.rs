//! The description of the native API (OpenAPI 3.1), generated from the types and handlers of the code, when the
//! tests run: what generates it would be a tenth of the binary. [`super::openapi`] serves what came of it.

use utoipa::openapi::path::Operation;
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{ArrayItems, Schema};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Components, Info, License, OpenApi, Ref, RefOr, Required};
use utoipa::{Modify, OpenApi as _};

use super::answers::Refusal;
use super::{admin, client, contexts, explain, openapi, stream};
use crate::api::{ErrorBody, plain};
use crate::auth::browser::COOKIE;

/// The routes of [`super::routes`], in the order in which the description shows them.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    client::evaluate,
    client::evaluate_batch,
    admin::features::list_or_evaluate,
    admin::features::get_or_evaluate,
    stream::stream,
    client::ruleset,
    client::report_evaluations,
    client::report_conversion,
    explain::explain,
    admin::features::create,
    admin::features::update,
    admin::features::replace,
    admin::features::delete,
    admin::features::history,
    admin::features::revert,
    admin::rules::list,
    admin::rules::create,
    admin::rules::get,
    admin::rules::update,
    admin::rules::delete,
    admin::rules::reorder,
    admin::variants::list,
    admin::variants::create,
    admin::variants::get,
    admin::variants::update,
    admin::variants::delete,
    contexts::list::list,
    contexts::stored::create,
    contexts::stored::get,
    contexts::stored::replace,
    contexts::stored::update,
    contexts::stored::delete,
    contexts::list::list_children,
    contexts::lookup::all,
    contexts::lookup::one,
    contexts::stored::set_value,
    contexts::stored::remove_value,
    contexts::lookup::batch,
    contexts::documents::export,
    contexts::documents::import,
    admin::segments::list,
    admin::segments::create,
    admin::segments::get,
    admin::segments::update,
    admin::segments::delete,
    admin::environments::list,
    admin::environments::create,
    admin::environments::get,
    admin::environments::update,
    admin::environments::delete,
    admin::compatibility::get,
    admin::tokens::list,
    admin::tokens::create,
    admin::tokens::get,
    admin::tokens::update,
    admin::tokens::delete,
    admin::tokens::rotate,
    admin::webhooks::list,
    admin::webhooks::create,
    admin::webhooks::get,
    admin::webhooks::update,
    admin::webhooks::delete,
    admin::webhooks::rotate,
    admin::webhooks::test,
    admin::webhooks::deliveries,
    admin::webhooks::delivery,
    admin::webhooks::redeliver,
    admin::audit::list,
    admin::audit::check,
    admin::gdpr::list,
    admin::gdpr::create,
    admin::gdpr::get,
    admin::gdpr::delete,
    admin::gdpr::download,
    admin::users::list,
    admin::users::create,
    admin::users::get,
    admin::users::update,
    admin::users::delete,
    admin::users::reset_two_factor,
    admin::me::get,
    admin::me::update,
    admin::me::list_tokens,
    admin::me::create_token,
    admin::me::delete_token,
    admin::me::list_devices,
    admin::me::delete_device,
    admin::me::list_sessions,
    admin::me::delete_session,
    admin::sites::list,
    admin::sites::create,
    admin::sites::get,
    admin::sites::update,
    admin::sites::delete,
    admin::sites::transfer,
    admin::branding::get,
    admin::branding::put,
    admin::analytics::summary,
    admin::analytics::daily,
    admin::analytics::rules,
    admin::analytics::contexts,
    admin::analytics::variants,
    admin::analytics::stale,
    admin::analytics::get_settings,
    admin::analytics::update_settings,
    admin::documents::export,
    admin::documents::import,
    openapi::serve,
))]
struct Native;

#[derive(utoipa::OpenApi)]
#[openapi(
    nest((path = "/api/v1", api = Native)),
    paths(plain::healthz, plain::readyz, plain::metrics),
    components(schemas(ErrorBody)),
    modifiers(&Shared),
    tags(
        (name = "Evaluation", description = "What clients call: which value does this feature have for this user?"),
        (name = "Features", description = "The features of an environment: made, changed, reverted, deleted."),
        (name = "Rules", description = "Who gets which value. The first rule that matches decides."),
        (name = "Variants", description = "Named values of a feature, for splits."),
        (name = "Contexts", description = "Stored people, devices, teams and groups with values of their own, which inherit from each other."),
        (name = "Segments", description = "Conditions of a site that many rules can refer to."),
        (name = "Environments", description = "Each has its own features, independent of the others of its site."),
        (name = "Tokens", description = "What clients show to evaluate in one environment."),
        (name = "Webhooks", description = "Who is told of changes over HTTP, and what came of it."),
        (name = "Audit", description = "Every change, who made it, and proof that none was altered."),
        (name = "GDPR", description = "What people ask of their data. For administrators."),
        (name = "Users", description = "Who signs in here, and what they may. For administrators."),
        (name = "Account", description = "One's own, whatever the role: looks, access tokens, trusted devices, sessions."),
        (name = "Sites", description = "One for each application or service."),
        (name = "Analytics", description = "What was counted: how often, for how many users, by which rule, with what success."),
        (name = "Documents", description = "A whole site as one readable file."),
        (name = "Server", description = "For those who run it. These need no credential."),
    ),
)]
struct Everything;

const ABOUT: &str = include_str!("about.md");

const ENVIRONMENT_TOKEN: &str = "`Authorization: Bearer alm_env_…`: for the client API of one environment. A `client` \
     token reads evaluated values and may be public; a `server` token may also read rulesets and explanations.";

const PERSONAL_ACCESS_TOKEN: &str = "`Authorization: Bearer alm_pat_…`: for the admin API, with the role of the user \
     it belongs to. A viewer reads, an editor changes, an admin also administers users.";

const API_KEY: &str = "`?apiKey=alm_env_…`: a `client` token in the query, for what can set no headers: EventSource \
     and sendBeacon.";

const SESSION: &str = "The cookie `featured_session` of somebody who has signed in, second factor included: for the \
     pages of the interface, with the role of that user.";

const CSRF: &str = "`X-CSRF-Token`: what the pages of the session carry; needed beside the cookie for everything but \
     GET, since pages of other sites cannot know it.";

/// What is not of one route: the introduction, credentials, refusals that many routes share.
struct Shared;

impl Modify for Shared {
    fn modify(&self, openapi: &mut OpenApi) {
        openapi.info = Info::new("featured", env!("CARGO_PKG_VERSION"));
        openapi.info.description = Some(ABOUT.trim().into());
        let mut license = License::new(env!("CARGO_PKG_LICENSE"));
        license.identifier = Some(env!("CARGO_PKG_LICENSE").into());
        openapi.info.license = Some(license);
        let components = openapi.components.get_or_insert_with(Components::new);
        let bearer = |description: &str| {
            let http = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description));
            SecurityScheme::Http(http.build())
        };
        let key = ApiKeyValue::with_description("apiKey", API_KEY);
        let session = ApiKeyValue::with_description(COOKIE, SESSION);
        let csrf = ApiKeyValue::with_description("X-CSRF-Token", CSRF);
        for (name, scheme) in [
            ("environmentToken", bearer(ENVIRONMENT_TOKEN)),
            ("personalAccessToken", bearer(PERSONAL_ACCESS_TOKEN)),
            ("apiKey", SecurityScheme::ApiKey(ApiKey::Query(key))),
            ("session", SecurityScheme::ApiKey(ApiKey::Cookie(session))),
            ("csrfToken", SecurityScheme::ApiKey(ApiKey::Header(csrf))),
        ] {
            components.add_security_scheme(name, scheme);
        }
        for refusal in Refusal::ALL {
            components.responses.insert(refusal.name().into(), refusal.response().into());
        }
        refer_to_items(components);
        for item in openapi.paths.paths.values_mut() {
            let bodies = item.post.iter_mut().filter_map(|operation| operation.request_body.as_mut());
            bodies.for_each(leave_out_rather_than_null);
            item.get.iter_mut().for_each(|operation| take_sessions(operation, &["session"]));
            for changing in [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete] {
                changing.iter_mut().for_each(|operation| take_sessions(operation, &["session", "csrfToken"]));
            }
        }
    }
}

/// Where a personal access token will do, so will a session ([`crate::auth::extract::Caller`]).
fn take_sessions(operation: &mut Operation, needed: &[&str]) {
    let person = SecurityRequirement::new("personalAccessToken", [""; 0]);
    if let Some(security) = operation.security.as_mut().filter(|security| security.contains(&person)) {
        let none = SecurityRequirement::default();
        security.push(needed.iter().fold(none, |all, name| all.add(*name, [""; 0])));
    }
}

/// A body that may be left out is not `null` instead.
fn leave_out_rather_than_null(body: &mut RequestBody) {
    for content in body.content.values_mut() {
        if let Some(RefOr::T(Schema::OneOf(one))) = &content.schema
            && let [RefOr::T(Schema::Object(_)), of @ RefOr::Ref(_)] = one.items.as_slice()
        {
            content.schema = Some(of.clone());
            body.required = Some(Required::False);
        }
    }
}

/// Pages of something hold references to it. What generates the schemas writes it out in each.
fn refer_to_items(components: &mut Components) {
    let names: Vec<String> = components.schemas.keys().cloned().collect();
    for (name, page) in &mut components.schemas {
        let Some(of) = name.strip_prefix("Page_").filter(|of| names.iter().any(|name| name == of)) else {
            continue;
        };
        if let RefOr::T(Schema::Object(page)) = page
            && let Some(RefOr::T(Schema::Array(items))) = page.properties.get_mut("items")
        {
            items.items = ArrayItems::RefOrSchema(Box::new(Ref::from_schema_name(of).into()));
        }
    }
}

/// The description of any server.
pub fn document() -> OpenApi {
    Everything::openapi()
}
