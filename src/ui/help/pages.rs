//! Every page of the product, and the keyboard.

use maud::{Markup, html};

use super::Reader;
use crate::ui::layout::TABS;

/// Name, where it is found, what a person does there.
const PAGES: &[(&str, &str, &str, &str)] = &[
    (
        "dashboard",
        "Dashboard",
        "The flag in the corner.",
        "What there is, what changed lately, and whether the server can save and read its secrets. It follows changes by itself. Until everything is set up, it says what comes next.",
    ),
    (
        "sites",
        "Sites",
        "All sites, in the site switcher.",
        "Every site with its environments. Search, make one, click a row for its environments; the ⋮ has settings, export and deletion.",
    ),
    (
        "environments",
        "Environments",
        "The name of a site.",
        "The environments of one site: make one, click a row for its features. The switcher in the header changes the environment and keeps the page and, where the same key exists, the feature.",
    ),
    (
        "branding",
        "Branding",
        "Tab of a site.",
        "Company name, colours, fonts, logo and icon of the site’s pages, with a preview on light and dark paper. It says where text would be hard to read.",
    ),
    (
        "site-settings",
        "Settings of a site",
        "Tab of a site.",
        "Name, slug and description; give the site to another owner; delete it with its slug typed.",
    ),
    (
        "features",
        "Features",
        "First tab of an environment.",
        "Every feature with its state and who gets what. Search by key, description or tag; filter by state, type and tag; turn one on or off in its row. The address holds the filter, so it can be shared. In production, turning off asks for the key.",
    ),
    (
        "feature",
        "A feature and its rules",
        "A row of the features.",
        "The five steps in the order they are asked, with the rules in the fourth. Open a rule to read it, edit it with its form: conditions, rollout, and what they get. The panel beside it says what a sample context would get, also before saving. “Override for everyone” gives all the same value in an emergency. Description, tags and default, variants, lock and deletion are under ⋮.",
    ),
    (
        "variants",
        "Variants",
        "⋮ of a feature.",
        "Named values that rules split people over. A variant that a rule uses cannot be removed.",
    ),
    (
        "history",
        "History",
        "Button of a feature.",
        "Every version with what changed and who changed it. “Go back to this” makes the old state the newest version.",
    ),
    (
        "contexts",
        "Contexts",
        "Tab of an environment.",
        "Stored people, teams, devices and groups with values of their own. Find one by key or description, make one, or try any key. The page of one has its values and prototypes, what it resolves to and by which way, and who inherits from it.",
    ),
    (
        "segments",
        "Segments",
        "Tab of an environment; they hold for the whole site.",
        "Named conditions with the same builder as a rule. The list says how many rules here use each.",
    ),
    (
        "test",
        "Test",
        "Tab of an environment.",
        "Ask as a program would: choose a feature, fill in the fields that its rules look at or write JSON. The answer comes with the reason, the matched rule, the bucket, whether the cache would have answered, and why every other rule did not match. Nothing is counted.",
    ),
    (
        "flagr",
        "Flagr",
        "Link on the Test tab.",
        "A console that answers as Flagr’s API would, with the reason of every segment, and the flags that were deleted through that API: restore them, or purge them for good.",
    ),
    (
        "analytics",
        "Analytics",
        "Tab of an environment.",
        "Evaluations and people by day, what each rule and context value did, and which features are stale; of one feature, the comparison of its variants. Choose 7, 30 or 90 days; each part is also a CSV file. The end has what is never counted and what is called stale.",
    ),
    (
        "audit",
        "Audit log",
        "Tab of an environment; of everything in the account menu.",
        "Every change: who, when, from where, and what it replaced. Filter by person, kind, action and time. Each entry seals the one before, and featured audit verify checks the chain.",
    ),
    (
        "tokens",
        "Tokens",
        "Tab of an environment.",
        "What programs show. A new one is shown once. Edit its description, expiry, limit and permissions; rotate it; revoke it. Uses and last use are counted.",
    ),
    (
        "featurehub",
        "FeatureHub",
        "Button of the Tokens tab.",
        "Keys for FeatureHub’s SDKs, set-up to paste, and the features that clients which evaluate by themselves are not sent, each with the reason.",
    ),
    (
        "webhooks",
        "Webhooks",
        "Tab of an environment; those of the whole site.",
        "Programs and chats that are told of changes. The page of one has a test, every try with request and answer, redelivery, settings, its secret, and an example of each event.",
    ),
    (
        "environment-settings",
        "Settings of an environment",
        "Tab of an environment.",
        "Name, description, tags, status, and whether userId names a stored Context. Deleting it asks for its name. In production, so does anything that stops serving.",
    ),
    (
        "profile",
        "Profile and security",
        "The account menu.",
        "Password, second factor, backup codes, trusted devices, sessions, access tokens, light or dark, dense tables, single keys.",
    ),
    (
        "users",
        "Users",
        "The account menu, for administrators.",
        "Who signs in here. Search by name or address; addresses are not in the list. Make a user, change the role, take a second factor away, deactivate, delete.",
    ),
    (
        "two-factor",
        "Two-factor sign-in",
        "The account menu, for administrators.",
        "How many have a second factor, for which roles it is a must, and a reminder to those without.",
    ),
    (
        "gdpr",
        "GDPR requests",
        "The account menu, for administrators.",
        "What people asked of their data, and what came of it: make a request, download the file of one, delete it. An erasure asks for the user name once more.",
    ),
    (
        "outbox",
        "Outbox",
        "The account menu, for administrators.",
        "Mail that waits or failed, and all of it where there is no mail server: read it there and hand it on.",
    ),
];

pub fn pages(_: &Reader) -> Markup {
    html! {
        @for (name, title, place, text) in PAGES {
            section id=(name) { h2 { (title) } p.s.m3 { (place) } p { (text) } }
        }
    }
}

pub fn keyboard(_: &Reader) -> Markup {
    html! {
        p { "Everything a mouse can do is a link, a button or a field. Tab goes through them in reading order; the first stop skips to the content." }
        table.tbl.dense { caption.vh { "Keys" } thead { tr { th scope="col" { "Key" } th scope="col" { "Does" } } } tbody {
            @for (keys, text) in [
                (&["Ctrl", "K"][..], "find a site, an environment, a feature or an action"),
                (&["/"], "search on this page"),
            ] { (key_row(keys, text)) }
            @for tab in TABS { (key_row(&["g", tab.key], &tab.label.to_lowercase())) }
            @for (keys, text) in [
                (&["g", "s"][..], "sites"),
                (&["g", "d"], "dashboard"),
                (&["↑", "↓"], "move through the palette or an open menu"),
                (&["Esc"], "close it"),
                (&["Enter"], "open a row; in a rule’s form, look at the preview"),
            ] { (key_row(keys, text)) }
        } }
        p.m2 { "Keys that are single letters can be turned off on the profile, under Appearance." }
    }
}

fn key_row(keys: &[&str], text: &str) -> Markup {
    html! { tr { th scope="row" { @for key in keys { kbd { (key) } " " } } td { (text) } } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::layout::{ADMIN_PAGES, SITE_TABS};

    #[test]
    fn every_tab_and_page_of_administrators_is_told_of() {
        let of_environments = TABS.iter().map(|tab| match tab.name {
            "settings" => "environment-settings",
            name => name,
        });
        let of_sites = SITE_TABS.iter().map(|tab| match tab.name {
            "" => "environments",
            "settings" => "site-settings",
            name => name,
        });
        let of_admins = ADMIN_PAGES.iter().filter_map(|(to, ..)| to.strip_prefix("/admin/"));
        for name in of_environments.chain(of_sites).chain(of_admins) {
            assert!(PAGES.iter().any(|(have, ..)| *have == name), "{name}");
        }
    }
}
