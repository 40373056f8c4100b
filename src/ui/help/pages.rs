//! Every page of the product, and the keyboard.

use maud::{Markup, html};

use super::Reader;

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
        "The environments of one site: make one, click a row for its features. Status, tags and deletion stand on the environment’s Settings tab. The switcher in the header changes the environment and keeps the page and, where the same key exists, the feature.",
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
        "The five steps in the order they are asked, with the rules in the fourth. Open a rule to read it, edit it with its form: conditions, rollout, and what they get. The panel beside it says what a sample context would get, also before saving. Description, tags and default, variants, lock and deletion are under ⋮.",
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
        "audit",
        "Audit log",
        "Tab of an environment; of everything in the account menu.",
        "Every change: who, when, from where, and what it replaced. Filter by person, kind and time. Each entry seals the one before, and featured audit verify checks the chain.",
    ),
    (
        "tokens",
        "Tokens",
        "Tab of an environment.",
        "What programs show. A new one is shown once. Edit its description, expiry, limit and permissions; rotate it; revoke it. Uses and last use are counted.",
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
                (&["g", "f"], "features"),
                (&["g", "e"], "segments"),
                (&["g", "t"], "test"),
                (&["g", "k"], "tokens"),
                (&["g", "l"], "audit log"),
                (&["g", "o"], "settings"),
                (&["g", "s"], "sites"),
                (&["g", "d"], "dashboard"),
                (&["↑", "↓"], "move through the palette or an open menu"),
                (&["Esc"], "close it"),
                (&["Enter"], "open a row; in a rule’s form, look at the preview"),
            ] { tr { th scope="row" { @for key in keys { kbd { (key) } " " } } td { (text) } } }
        } }
        p.m2 { "Keys that are single letters can be turned off on the profile, under Appearance." }
    }
}
