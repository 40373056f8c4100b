//! What requests carry beside their body, for the description of the API: names in the path, headers, queries.

use utoipa::IntoParams;

use crate::admin::documents::Mode;
use crate::engine::permission::Role;
use crate::engine::value::FeatureType;

/// A site in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SitePath {
    /// Id or slug of the site.
    #[param(example = "shop")]
    pub site: String,
}

/// An environment in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct EnvironmentPath {
    /// Id or slug of the site.
    #[param(example = "shop")]
    pub site: String,
    /// Id or name of the environment.
    #[param(example = "prod")]
    pub environment: String,
}

/// A feature in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct FeaturePath {
    /// Id or slug of the site.
    #[param(example = "shop")]
    pub site: String,
    /// Id or name of the environment.
    #[param(example = "prod")]
    pub environment: String,
    /// Key of the feature; `/` and `:` in it are percent-encoded.
    #[param(example = "new_checkout")]
    pub key: String,
}

/// A rule in the path, behind its feature.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct RulePath {
    /// Id of the rule.
    #[param(format = Uuid, example = "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a02")]
    pub rule: String,
}

/// A variant in the path, behind its feature.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct VariantPath {
    /// Key of the variant; `/` and `:` in it are percent-encoded.
    #[param(example = "blue")]
    pub variant: String,
}

/// A segment in the path, behind its site.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SegmentPath {
    /// Key of the segment; `/` and `:` in it are percent-encoded.
    #[param(example = "staff")]
    pub segment: String,
}

/// A token in the path, behind its environment.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct TokenPath {
    /// Id of the token; not the token itself.
    #[param(format = Uuid, example = "0198c0de-7a11-7c3e-9d52-3f1b6c1e0005")]
    pub token: String,
}

/// A webhook in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct WebhookPath {
    /// Id of the webhook.
    #[param(format = Uuid, example = "0198c0de-7a11-7c3e-9d52-3f1b6c1e0006")]
    pub webhook: String,
}

/// A try of a webhook in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct DeliveryPath {
    /// Id of the try.
    #[param(format = Uuid, example = "0198c0de-7a11-7c3e-9d52-3f1b6c1e0007")]
    pub delivery: String,
}

/// A GDPR request in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct GdprPath {
    /// Id of the request.
    #[param(format = Uuid, example = "0198c0de-7a11-7c3e-9d52-3f1b6c1e0008")]
    pub request: String,
}

/// A user in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct UserPath {
    /// Id of the user.
    #[param(format = Uuid, example = "0198c0de-7a11-7c3e-9d52-3f1b6c1e0009")]
    pub user: String,
}

/// A trusted device in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct DevicePath {
    /// Id of the device.
    #[param(format = Uuid, example = "0198c0de-7a11-7c3e-9d52-3f1b6c1e000b")]
    pub device: String,
}

/// A session in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SessionPath {
    /// Id of the session.
    #[param(format = Uuid, example = "0198c0de-7a11-7c3e-9d52-3f1b6c1e000c")]
    pub session: String,
}

/// A search among users.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UserQuery {
    /// Part of the name or the e-mail address.
    #[param(example = "ben")]
    pub q: Option<String>,
    /// Only those with this role.
    #[param(inline)]
    pub role: Option<Role>,
    /// Only those who may sign in, or who may not.
    pub active: Option<bool>,
}

/// A search in the audit log.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only what happened in this site: id or slug.
    #[param(example = "shop")]
    pub site: Option<String>,
    /// Only what happened in this environment of the site: id or name.
    #[param(example = "prod")]
    pub env: Option<String>,
    /// Only what this one did, by name.
    #[param(example = "ana")]
    pub actor: Option<String>,
    /// Only changes of this: `feature`, `rule`, `token`, ….
    #[param(example = "feature")]
    pub entity: Option<String>,
    /// Only this: `created`, `updated`, `deleted`, ….
    #[param(example = "updated")]
    pub action: Option<String>,
    /// Part of a key, a summary or a value.
    #[param(example = "checkout")]
    pub q: Option<String>,
    /// From this time on.
    #[param(format = DateTime, example = "2026-01-31T12:00:00Z")]
    pub from: Option<String>,
    /// Before this time.
    #[param(format = DateTime, example = "2026-02-28T12:00:00Z")]
    pub to: Option<String>,
}

/// A search among webhooks.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WebhookQuery {
    /// Only those of this site: id or slug.
    #[param(example = "shop")]
    pub site: Option<String>,
}

/// A Context in the path, behind its environment.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ContextPath {
    /// Key of the Context.
    #[param(example = "mia")]
    pub context: String,
}

/// A feature in the path, behind a Context.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ContextFeaturePath {
    /// Key of the feature; `/` and `:` in it are percent-encoded.
    #[param(example = "greeting")]
    pub feature: String,
}

/// A search among Contexts.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ContextListQuery {
    /// Part of the key or description.
    #[param(example = "team")]
    pub q: Option<String>,
    /// Only those that name this one as a prototype.
    #[param(example = "team:blue")]
    pub prototype: Option<String>,
    /// Only those that inherit from this one, at whatever distance.
    #[param(example = "team:blue")]
    pub descends_from: Option<String>,
    /// Only those with a value of their own for this feature.
    #[param(example = "greeting")]
    pub feature: Option<String>,
    /// Only those for whom this feature resolves to `yes`, or behind a colon to that value.
    #[param(example = "greeting:hi")]
    pub matches: Option<String>,
}

/// How to delete a Context.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DetachQuery {
    /// Take it out of the lists of those that inherit from it.
    pub detach: Option<bool>,
}

/// Why something is done.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReasonQuery {
    /// Why, for the audit log.
    #[param(example = "the payment provider is back")]
    pub reason: Option<String>,
}

/// Which features to look up.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct KeysOnlyQuery {
    /// Only these features, keys separated by commas.
    #[param(example = "greeting,search_limit")]
    pub keys: Option<String>,
}

/// How to look up.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LookupQuery {
    /// Tell where each value comes from and what it hides. Not for `client` tokens.
    pub explain: Option<bool>,
    /// Values as JSON rather than text.
    pub typed: Option<bool>,
    /// Further prototypes, separated by commas, asked after those of the stored Context.
    #[param(example = "team:blue")]
    pub prototypes: Option<String>,
    /// Refuse a key that is not stored with 404 `context_not_found`.
    pub strict: Option<bool>,
    /// In the order of evaluation: with the features' switches and rules.
    pub rules: Option<bool>,
}

/// A guard against overwriting what somebody else changed meanwhile.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatch {
    /// The feature's version in quotes, as its `ETag` gave it. When it has another by now, nothing is changed and
    /// the answer is 412. Without the header, or with `*`, the last writer wins.
    #[param(rename = "If-Match", required = false, example = "\"7\"")]
    pub if_match: String,
}

/// A question whether something is new.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfNoneMatch {
    /// The `ETag` of what the client has. While it is current, the answer is 304 without a body.
    #[param(rename = "If-None-Match", required = false, example = "\"412-8c1f03a2b9d04e57\"")]
    pub if_none_match: String,
}

/// Where a stream was cut off.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct LastEventId {
    /// The revision of the last event, as an EventSource sends it when it reconnects. While it is current, the
    /// stream begins without `snapshot`.
    #[param(rename = "Last-Event-ID", required = false, example = "412")]
    pub last_event_id: String,
}

/// A page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many entries to answer at most; 50 when left out.
    #[param(minimum = 1, maximum = 500, example = 50)]
    pub limit: Option<u64>,
    /// `nextCursor` of the page before.
    #[param(example = "6e65775f636865636b6f7574")]
    pub cursor: Option<String>,
}

/// A search among sites.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SiteQuery {
    /// Part of the name, slug or description.
    #[param(example = "shop")]
    pub q: Option<String>,
}

/// A search among features.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FeatureQuery {
    /// Personal access token: part of the key or description.
    #[param(example = "checkout")]
    pub q: Option<String>,
    /// Personal access token: only features with this tag.
    #[param(example = "checkout")]
    pub tag: Option<String>,
    /// Personal access token: only features of this type.
    #[param(rename = "type", inline)]
    pub kind: Option<FeatureType>,
    /// Personal access token: only features that are switched on, or off.
    pub enabled: Option<bool>,
}

/// For whom to evaluate.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ContextQuery {
    /// Environment token: the context, a JSON object, URL-encoded; empty when left out.
    #[param(example = "{\"userId\":\"123\",\"country\":\"SE\"}")]
    pub context: Option<String>,
}

/// Which features to evaluate.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct KeysQuery {
    /// Environment token: only these features, keys separated by commas.
    #[param(example = "new_checkout,search_limit")]
    pub keys: Option<String>,
}

/// How to delete a feature.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ForceQuery {
    /// Also delete the values that stored Contexts hold for the feature.
    pub force: Option<bool>,
}

/// How to import.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct ImportQuery {
    /// Check everything and answer the plan, but write nothing.
    pub dry_run: Option<bool>,
    /// `replace` also deletes features, segments and Contexts that the document lacks, from the environments it
    /// names.
    #[param(inline)]
    pub mode: Option<Mode>,
}
