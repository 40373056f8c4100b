//! The table of routes: every page and form as somebody uses it who may.

use std::collections::BTreeSet;
use std::path::Path;

/// Who gets in. Each includes those below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// Also without a session.
    Anyone,
    Person,
    Editor,
    Admin,
}

/// One route.
#[derive(Clone, Debug)]
pub struct Row {
    /// As the router names it: `module::function`.
    pub handler: &'static str,
    pub method: &'static str,
    /// With ids as placeholders, see [`super::Furnished`].
    pub path: &'static str,
    /// What the form sends. `@path` as a value takes the field's value off that page.
    pub fields: &'static [(&'static str, &'static str)],
    pub who: Who,
    /// What whoever may gets.
    pub status: u16,
}

const fn get(handler: &'static str, who: Who, path: &'static str, status: u16) -> Row {
    Row { handler, method: "GET", path, fields: &[], who, status }
}

const fn post(
    handler: &'static str,
    who: Who,
    path: &'static str,
    fields: &'static [(&'static str, &'static str)],
    status: u16,
) -> Row {
    Row { handler, method: "POST", path, fields, who, status }
}

use Who::{Admin, Anyone, Editor, Person};

const NEW_PASSWORD: &str = "a longer sentence than before";

/// Every route, in an order in which all of them do what they are for.
pub const ROWS: &[Row] = &[
    get("assets::serve", Anyone, "{asset}", 200),
    get("docs::page", Anyone, "/api/docs", 200),
    get("docs::group_page", Anyone, "/api/docs/evaluation", 200),
    get("door::show", Anyone, "/signin", 303),
    post("door::sign_in", Anyone, "/signin", &[("username", "otto"), ("password", "guessed")], 422),
    get("second_step::show", Person, "/signin/code", 303),
    post("second_step::post", Person, "/signin/code", &[("code", "000000")], 303),
    post("second_step::mail", Person, "/signin/code/mail", &[], 303),
    get("reset::show_forgot", Anyone, "/forgot", 200),
    post("reset::forgot", Anyone, "/forgot", &[("username", "nobody")], 200),
    get("reset::show_reset", Anyone, "/reset/reset-get", 200),
    post("reset::reset", Anyone, "/reset/reset-post", &[("password", NEW_PASSWORD)], 200),
    get("door::show_setup", Anyone, "/setup/setup", 200),
    post("door::setup", Anyone, "/setup/setup", &[("username", ""), ("email", ""), ("password", "")], 422),
    get("dashboard::show", Person, "/", 200),
    get("find::show", Person, "/find?q=a", 200),
    get("events::follow", Person, "/events", 200),
    get("help::index", Person, "/help", 200),
    get("help::show", Person, "/help/concepts", 200),
    get("audit::all", Person, "/audit", 200),
    // Sites and environments.
    get("sites::list", Person, "/sites", 200),
    post("sites::create", Editor, "/sites", &[("name", "New")], 303),
    get("sites::show", Person, "/sites/shop", 200),
    get("sites::document", Person, "/sites/shop/document", 200),
    get("sites::site_settings", Person, "/sites/shop/settings", 200),
    post(
        "sites::update",
        Editor,
        "/sites/shop/settings",
        &[("name", "Shop"), ("slug", "shop"), ("description", "x"), ("seen", "@/sites/shop/settings")],
        303,
    ),
    post("sites::transfer", Editor, "/sites/shop/owner", &[("userId", "ana")], 303),
    post("sites::delete", Editor, "/sites/gone/delete", &[("confirm", "gone")], 303),
    post(
        "environments::create",
        Editor,
        "/sites/shop/environments",
        &[("name", "qa"), ("status", "active")],
        303,
    ),
    get("branding::show", Person, "/sites/shop/branding", 200),
    get("branding::serve", Anyone, "{sheet}", 200),
    get("branding::preview_sheet", Anyone, "/branding/preview.css?accent=%237a1fa2", 200),
    post(
        "branding::post",
        Editor,
        "/sites/shop/branding",
        &[
            ("act", "save"),
            ("companyName", "Shop Inc."),
            ("accent", "#1d5b8f"),
            ("logo", "GIF89a"),
            ("favicon", ""),
            ("seen", "@/sites/shop/branding"),
        ],
        303,
    ),
    get("webhooks::of_site", Person, "/sites/shop/webhooks", 303),
    get("environments::show", Person, "/sites/shop/environments/prod", 303),
    get("environments::settings", Person, "/sites/shop/environments/prod/settings", 200),
    post(
        "environments::update",
        Editor,
        "/sites/shop/environments/dev/settings",
        &[("name", "dev"), ("status", "maintenance"), ("seen", "@/sites/shop/environments/dev/settings")],
        303,
    ),
    get("environments::ask_delete", Editor, "/sites/shop/environments/dev/delete", 200),
    post("environments::delete", Editor, "/sites/shop/environments/dev/delete", &[("confirm", "dev")], 303),
    get("test::show", Person, "/sites/shop/environments/prod/test?feature=a", 200),
    get("audit::of_environment", Person, "/sites/shop/environments/prod/audit", 200),
    get("flagr::show", Person, "/sites/shop/environments/prod/flagr?json=%7B%7D", 200),
    post(
        "flagr::change",
        Editor,
        "/sites/shop/environments/prod/flagr",
        &[("op", "restore"), ("number", "{flag}")],
        303,
    ),
    get("analytics::show", Person, "/sites/shop/environments/prod/analytics", 200),
    post(
        "analytics::settings",
        Editor,
        "/sites/shop/environments/prod/analytics/settings",
        &[
            ("excludedFields", "email"),
            ("staleUnchangedDays", "30"),
            ("staleUnaskedDays", "7"),
            ("seen", "@/sites/shop/environments/prod/analytics"),
        ],
        303,
    ),
    // Tokens.
    get("tokens::list", Person, "/sites/shop/environments/prod/tokens", 200),
    post(
        "tokens::create",
        Editor,
        "/sites/shop/environments/prod/tokens",
        &[("description", "new"), ("kind", "client")],
        303,
    ),
    get("tokens::edit", Editor, "/sites/shop/environments/prod/tokens/{token}", 200),
    post(
        "tokens::update",
        Editor,
        "/sites/shop/environments/prod/tokens/{token}",
        &[("description", "shop"), ("seen", "@/sites/shop/environments/prod/tokens/{token}")],
        303,
    ),
    post(
        "tokens::rotate",
        Editor,
        "/sites/shop/environments/prod/tokens/{token}/rotate",
        &[("grace", "0")],
        303,
    ),
    get("tokens::ask_revoke", Editor, "/sites/shop/environments/prod/tokens/{token2}/revoke", 200),
    post(
        "tokens::revoke",
        Editor,
        "/sites/shop/environments/prod/tokens/{token2}/revoke",
        &[("confirm", "old")],
        303,
    ),
    get("featurehub::page", Person, "/sites/shop/environments/prod/featurehub", 200),
    post(
        "featurehub::create",
        Editor,
        "/sites/shop/environments/prod/featurehub",
        &[("description", "hub"), ("kind", "server"), ("permissions", "LOCK")],
        303,
    ),
    // Webhooks.
    get("webhooks::list", Person, "/sites/shop/environments/prod/webhooks", 200),
    post(
        "webhooks::create",
        Editor,
        "/sites/shop/environments/prod/webhooks",
        &[("url", "https://hooks.shop.example/flags"), ("format", "json"), ("events", "feature.updated")],
        303,
    ),
    get("webhook::show", Person, "/sites/shop/environments/prod/webhooks/{webhook}", 200),
    post(
        "webhook::update",
        Editor,
        "/sites/shop/environments/prod/webhooks/{webhook}",
        &[
            ("name", "hook"),
            ("url", "https://hooks.shop.example/flags"),
            ("format", "json"),
            ("events", "rule.updated"),
            ("enabled", "on"),
            ("seen", "@/sites/shop/environments/prod/webhooks/{webhook}"),
        ],
        303,
    ),
    post(
        "webhook::test",
        Editor,
        "/sites/shop/environments/prod/webhooks/{webhook2}/test",
        &[("event", "feature.updated")],
        303,
    ),
    post(
        "webhook::redeliver",
        Editor,
        "/sites/shop/environments/prod/webhooks/{webhook2}/deliveries/{delivery}/redeliver",
        &[],
        303,
    ),
    get("webhook::back", Person, "/sites/shop/environments/prod/webhooks/{webhook}/rotate", 303),
    post(
        "webhook::rotate",
        Editor,
        "/sites/shop/environments/prod/webhooks/{webhook}/rotate",
        &[("graceSeconds", "3600")],
        303,
    ),
    get("webhook::ask_delete", Editor, "/sites/shop/environments/prod/webhooks/{webhook}/delete", 200),
    post("webhook::delete", Editor, "/sites/shop/environments/prod/webhooks/{webhook2}/delete", &[], 303),
    // Features.
    get("features::list", Person, "/sites/shop/environments/prod/features", 200),
    get("features::show_new", Editor, "/sites/shop/environments/prod/features/new", 200),
    post(
        "features::create",
        Editor,
        "/sites/shop/environments/prod/features/new",
        &[("key", "b"), ("type", "BOOLEAN"), ("defaultValue", "false")],
        303,
    ),
    get("feature::page", Person, "/sites/shop/environments/prod/features/a", 200),
    post(
        "features::turn",
        Editor,
        "/sites/shop/environments/prod/features/a/switch",
        &[("to", "off"), ("confirm", "a")],
        303,
    ),
    post(
        "features::lock",
        Editor,
        "/sites/shop/environments/prod/features/other/lock",
        &[("to", "locked")],
        303,
    ),
    get("features::ask_delete", Editor, "/sites/shop/environments/prod/features/b/delete", 200),
    post(
        "features::delete",
        Editor,
        "/sites/shop/environments/prod/features/b/delete",
        &[("confirm", "b")],
        303,
    ),
    post(
        "feature::settings",
        Editor,
        "/sites/shop/environments/prod/features/a/settings",
        &[
            ("description", "x"),
            ("defaultValue", "false"),
            ("seen", "@/sites/shop/environments/prod/features/a?edit=settings"),
        ],
        303,
    ),
    get("feature::variants", Person, "/sites/shop/environments/prod/features/a/variants", 200),
    post(
        "feature::change_variants",
        Editor,
        "/sites/shop/environments/prod/features/a/variants",
        &[("op", "delete"), ("variant", "w"), ("confirm", "w")],
        303,
    ),
    get("feature::history", Person, "/sites/shop/environments/prod/features/a/history", 200),
    post(
        "feature::revert",
        Editor,
        "/sites/shop/environments/prod/features/a/revert",
        &[("version", "1")],
        303,
    ),
    get("rule_form::reload", Person, "/sites/shop/environments/prod/features/a/rules/{rule}", 303),
    post(
        "rule_form::post",
        Editor,
        "/sites/shop/environments/prod/features/a/rules/new",
        &[
            ("op", "save"),
            ("name", "everyone"),
            ("priority", "1"),
            ("enabled", "on"),
            ("rollout", "100"),
            ("rolloutExact", "100"),
            ("rolloutBase", "100"),
            ("outcome", "value"),
            ("value", "true"),
            ("g0.kind", "all"),
        ],
        303,
    ),
    post(
        "rule_form::act",
        Editor,
        "/sites/shop/environments/prod/features/a/rules/{rule}/off",
        &[("confirm", "SE")],
        303,
    ),
    post(
        "overrides::set",
        Editor,
        "/sites/shop/environments/prod/features/a/override",
        &[("value", "no"), ("reason", "It fails")],
        303,
    ),
    post(
        "overrides::lift",
        Editor,
        "/sites/shop/environments/prod/features/a/override/lift",
        &[("reason", "It is mended")],
        303,
    ),
    // Contexts.
    get("list::show", Person, "/sites/shop/environments/prod/contexts", 200),
    post(
        "list::create",
        Editor,
        "/sites/shop/environments/prod/contexts",
        &[("key", "bo"), ("prototypes", "team:blue"), ("description", "x")],
        303,
    ),
    get("page::show", Person, "/sites/shop/environments/prod/contexts/ann", 200),
    post(
        "forms::post",
        Editor,
        "/sites/shop/environments/prod/contexts/ann",
        &[
            ("op", "set"),
            ("feature", "other"),
            ("value", "y"),
            ("version", "@/sites/shop/environments/prod/contexts/ann"),
        ],
        303,
    ),
    get("forms::ask_delete", Editor, "/sites/shop/environments/prod/contexts/team:blue/delete", 200),
    post(
        "forms::delete",
        Editor,
        "/sites/shop/environments/prod/contexts/team:blue/delete",
        &[
            ("confirm", "team:blue"),
            ("detach", "on"),
            ("version", "@/sites/shop/environments/prod/contexts/team:blue/delete"),
        ],
        303,
    ),
    // Segments.
    get("segments::list", Person, "/sites/shop/environments/prod/segments", 200),
    get("segments::show", Person, "/sites/shop/environments/prod/segments/s", 200),
    post(
        "segments::post",
        Editor,
        "/sites/shop/environments/prod/segments/new",
        &[("op", "save"), ("key", "t"), ("name", "T"), ("g0.kind", "all")],
        303,
    ),
    post(
        "segments::undo",
        Editor,
        "/sites/shop/environments/prod/segments/s/undo",
        &[
            ("was", "{\"name\": \"T\", \"conditions\": {\"all\": []}}"),
            ("updated", "@/sites/shop/environments/prod/segments/s"),
        ],
        303,
    ),
    post(
        "segments::delete",
        Editor,
        "/sites/shop/environments/prod/segments/s/delete",
        &[("asked", "yes"), ("confirm", "s")],
        303,
    ),
    // One's own account.
    get("account::show", Person, "/account", 200),
    post(
        "account::password",
        Person,
        "/account/password",
        &[("current", "guessed"), ("password", NEW_PASSWORD)],
        422,
    ),
    post("account::look", Person, "/account/look", &[("theme", "dark")], 303),
    post("account::begin_app", Person, "/account/two-factor/app", &[], 303),
    post(
        "account::confirm",
        Person,
        "/account/two-factor/confirm",
        &[("by", "app"), ("code", "000000")],
        422,
    ),
    post("account::cancel_app", Person, "/account/two-factor/cancel", &[], 303),
    post("account::begin_email", Person, "/account/two-factor/email", &[], 303),
    post("account::remake_codes", Person, "/account/two-factor/codes", &[], 409),
    post("account::turn_off", Person, "/account/two-factor/off", &[("off-password", "guessed")], 422),
    post("account::forget_device", Person, "/account/devices/{device}/forget", &[], 303),
    post("account::end_session", Person, "/account/sessions/{session}/end", &[], 303),
    post("account::create_token", Person, "/account/tokens", &[("description", "x"), ("days", "30")], 303),
    post("account::revoke_token", Person, "/account/tokens/{pat}/revoke", &[], 303),
    post("account::ask_for_data", Person, "/account/data", &[], 303),
    // Administration.
    get("users::list", Admin, "/admin/users", 200),
    get("users::show_new", Admin, "/admin/users/new", 200),
    post(
        "users::create",
        Admin,
        "/admin/users",
        &[("username", "new"), ("email", "new@shop.example"), ("role", "viewer")],
        303,
    ),
    get("users::show", Admin, "/admin/users/{user}", 200),
    post(
        "users::update",
        Admin,
        "/admin/users/{user}",
        &[
            ("username", "otto"),
            ("email", "otto@shop.example"),
            ("role", "viewer"),
            ("seen", "@/admin/users/{user}"),
        ],
        303,
    ),
    post("users::deactivate", Admin, "/admin/users/{user}/deactivate", &[], 303),
    post("users::activate", Admin, "/admin/users/{user}/activate", &[], 303),
    post("users::reset_two_factor", Admin, "/admin/users/{user}/reset-two-factor", &[], 303),
    post("users::delete", Admin, "/admin/users/{user}/delete", &[("confirm", "otto")], 303),
    get("two_factor::show", Admin, "/admin/two-factor", 200),
    post(
        "two_factor::enforce",
        Admin,
        "/admin/two-factor/enforce",
        &[("role", "viewer"), ("seen", "@/admin/two-factor")],
        303,
    ),
    post("two_factor::remind", Admin, "/admin/two-factor/remind", &[], 303),
    get("gdpr::show", Admin, "/admin/gdpr", 200),
    post("gdpr::create", Admin, "/admin/gdpr", &[("user", "ana"), ("type", "access"), ("notes", "x")], 303),
    get("gdpr::download", Admin, "/admin/gdpr/{request}/download", 200),
    post("gdpr::delete", Admin, "/admin/gdpr/{request}/delete", &[("asked", "yes")], 303),
    get("outbox::show", Admin, "/admin/outbox", 200),
    post("outbox::retry", Admin, "/admin/outbox/{mail}/retry", &[], 303),
    post("outbox::delete", Admin, "/admin/outbox/{mail2}/delete", &[], 303),
    // Last: it ends the session.
    post("door::sign_out", Person, "/signout", &[], 303),
];

/// Every handler that the sources of the UI give to the router, as `METHOD module::function`.
pub fn registered() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui");
    collect(&sources, "ui", &mut found);
    assert!(found.len() > 80, "the sources are read: {}", found.len());
    found
}

fn collect(folder: &Path, module: &str, found: &mut BTreeSet<String>) {
    let routes =
        regex::Regex::new(r"\b(get|post|put|patch|delete|resource)\(\)\s*\.to\(\s*([A-Za-z_:]+)\s*\)")
            .unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            collect(&path, &stem, found);
            continue;
        }
        let own = if stem == "mod" { module } else { &stem };
        let text = std::fs::read_to_string(&path).unwrap();
        for route in routes.captures_iter(&text) {
            let parts: Vec<&str> = route[2].split("::").collect();
            let (name, module) = match parts.as_slice() {
                [.., module, name] => (*name, *module),
                [name] => (*name, own),
                [] => continue,
            };
            found.insert(format!("{} {module}::{name}", route[1].to_uppercase()));
        }
    }
}
