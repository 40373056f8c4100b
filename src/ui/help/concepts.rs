//! What the words mean, how a value is found, what a rule can say, who may do what.

use maud::{Markup, html};

use super::{Reader, term};
use crate::ui::components::icon;

pub fn concepts(_: &Reader) -> Markup {
    html! {
        dl.stack {
            (term("Site", "One application or service. It has environments, segments, webhooks, branding and an owner; its settings give it to another owner."))
            (term("Environment", "One place where the site runs: prod, staging, dev. Each has its own features, rules and tokens, independent of the others. One tagged production looks different everywhere and asks with the name typed before something is turned off or deleted. In maintenance, clients are told to come back later; archived, nothing is served and nothing can be changed until it is made active again."))
            (term("Feature", "A key with a type (BOOLEAN, STRING, NUMBER, JSON), a default value, a switch, and rules. Every value is checked against the type when it is written. Switched off, a BOOLEAN gives false and everything else nothing, so that the program’s own default applies. A locked feature refuses every change until it is unlocked."))
            (term("Rule", "Who gets something else than the default, and what. Rules have a priority from 1 to 100; the highest is asked first, and the first that matches answers."))
            (term("Condition", "What a rule looks at: an attribute of the context, an operator, and one or several values. Conditions stand in groups."))
            (term("Rollout", "A percentage of those whose conditions hold. The same people stay in as it grows."))
            (term("Variant", "A named value of a feature, for A/B tests: a rule can split people over variants by weight. An attachment is further JSON that goes to the program beside the value."))
            (term("Segment", "A condition with a name, of a site: write “staff” once and use it in many rules. Change it, and every rule that uses it follows."))
            (term("Context", "What is known about who asks: userId, plan, country, version, whatever your program sends. Stored Contexts are named ones kept here with values of their own: a person, a team, a test device. They inherit from each other. The Context override gives everyone the same value at once, in an emergency."))
            (term("Token", "What a program shows to ask for the values of one environment. Client tokens are safe in a browser; server tokens may also read the rules. Only a hash is kept, so a token is shown once. Rotating makes a new secret while the old one works on for a while."))
            (term("Version and revision", "A feature’s version grows with each change to it or its rules; the revision of an environment with each change that an answer could show. The history has every version, and going back makes a new one."))
        }
    }
}

pub fn evaluation(_: &Reader) -> Markup {
    html! {
        p { "For each feature, the first of these that has an answer gives it:" }
        ol.ladder.slim {
            @for (title, text) in [
                ("Emergency override", "A value in the Context override answers everyone the same. Reason OVERRIDE."),
                ("Switch", "Off: BOOLEAN answers false, everything else nothing, so that the program’s own default applies. Reason DISABLED."),
                ("Stored Contexts", "A value in the stored Context of this user, or in one it inherits from. Reason CONTEXT."),
                ("Rules", "Highest priority first. A rule whose conditions hold and whose rollout includes the user answers. Reason TARGETING_MATCH, or SPLIT where a rollout or split decided."),
                ("Default value", "What everybody else gets. Reason DEFAULT, or STATIC where there are no rules at all."),
            ] { li { span.rung { (icon("right")) } div.step { h2.h3 { (title) } span.say { (text) } } } }
        }
        p { "The Test page shows these steps for a context of your choice, with every condition and bucket." }
        h2 { "When something is wrong" }
        p { "A rule that cannot be read does not take the others down: its feature is served as its default, and says so on its page and on the dashboard. An environment in maintenance answers 503, an archived one 410; clients then keep what they had, or use their own default." }
    }
}

pub fn rules(_: &Reader) -> Markup {
    html! {
        h2 { "Conditions" }
        p { "A condition names an attribute, an operator and one or several values. Conditions stand in groups: all of them, any of them, none of them; groups stand in groups, up to eight deep." }
        table.tbl.dense { caption.vh { "Operators" } thead { tr { th scope="col" { "Operator" } th scope="col" { "Holds when" } } } tbody {
            @for (operator, text) in [
                ("equals, in", "the attribute is one of the values; 30 and \"30\" are the same where one of them is a number"),
                ("not_equals, not_in, not_contains", "exactly when the positive one does not; so also when the attribute is missing"),
                ("contains, starts_with, ends_with", "the text has that part"),
                ("greater_than, greater_or_equal, less_than, less_or_equal", "numbers by size, texts by character"),
                ("matches", "the regular expression is found anywhere in the text"),
                ("exists, not_exists", "the attribute is there and not null, or is not"),
                ("semver_eq, semver_gt, semver_gte, semver_lt, semver_lte", "versions such as 2.4.0 or 143.1.87.77"),
                ("before, after", "RFC 3339 times; the attribute now is the clock"),
                ("ip_in", "the address lies in the network, such as 10.0.0.0/8"),
            ] { tr { th scope="row" { code { (operator) } } td { (text) } } }
        } }
        p.m2 { "If an attribute is a list, a positive operator wants any element, a negative one every element. Names with dots walk into objects. Under “…” of a condition: ignore upper and lower case, and strict, which fails on a missing attribute whatever the operator." }
        h2 { "Values" }
        p { "Several values are separated by commas or lines. Quotes make a text of what could be a number, and keep commas inside: " code { "\"30\", \"Hello, world\"" } "." }
        h2 { "Rollout" }
        p { "A percentage takes a share of those whose conditions hold. It is decided by a hash of the user’s id and the feature’s key, so a user always gets the same, and raising the percentage never takes anybody out. Without a user id, a rollout below 100 % leaves out. A rollout can stick to another attribute, such as companyId: then a whole company is in or out. Another salt takes other people." }
        h2 { "Split" }
        p { "A split gives variants by weight; the weights add up to 100. A growing rollout never moves a user from one variant to another." }
        h2 { "Order" }
        p { "The arrows beside a rule move it up and down. The same can be said with priorities: higher first, equal ones in the order of the list." }
    }
}

pub fn people(_: &Reader) -> Markup {
    html! {
        h2 { "Roles" }
        table.tbl.dense { caption.vh { "Roles" } thead { tr { th scope="col" { "Role" } th scope="col" { "May" } } } tbody {
            tr { th scope="row" { "Viewer" } td { "see everything but users, mail and GDPR requests (of the address of a webhook only the host), and test" } }
            tr { th scope="row" { "Editor" } td { "also create, change and delete sites, environments, features, rules, segments, Contexts, tokens and webhooks, and change branding and what analytics count; import documents" } }
            tr { th scope="row" { "Admin" } td { "also manage users and their second factors, say for whom one is a must, answer GDPR requests, see the outbox, and have the audit log checked over the API" } }
        } }
        p { "The server checks the role with every request; the pages leave out what a role may not do. The last administrator can be neither deleted nor demoted." }
        h2 { "Signing in" }
        p { "Wrong passwords slow down: per account and per address, and a restart does not forget. A session ends after a while without use, and with every change of the password. “Forgot the password?” mails a link that works once, for an hour; an administrator at the terminal can do the same with " code { "featured user passwd" } "." }
        h2 { "Second factor" }
        p { "Set up an authenticator app by its QR code, or have codes mailed. A code works once. With it come eight backup codes, each good once: keep them where the phone is not. “Trust this device” skips the code there for 30 days; the profile lists such devices and forgets them." }
        p { "Administrators must have a second factor seven days after their account was made; other roles when an administrator says so. Who must and has none is led to the profile first." }
        p { "Who lost phone and backup codes asks an administrator, who takes the second factor away on the user’s page, or " code { "featured user reset-2fa" } " at the terminal." }
        h2 { "Access tokens of a person" }
        p { "For scripts that administer: made on the profile or over the API, they may do what their owner may: for administrators, that is users too. Programs that ask for values use tokens of an environment instead." }
    }
}
