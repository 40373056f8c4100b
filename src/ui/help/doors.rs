//! Help about the ways in that other systems' programs take, and about what is counted.

use maud::{Markup, html};

use super::{Reader, code, term};

pub fn analytics(reader: &Reader) -> Markup {
    let Reader { base, feature, .. } = reader;
    let event = format!(
        "curl -s {base}/api/v1/analytics/events \\\n  -H \"Authorization: Bearer $FEATURED_TOKEN\" -H 'Content-Type: application/json' \\\n  -d '{{\"event\": \"purchase\", \"userId\": \"123\", \"value\": 49.9}}'"
    );
    let report = format!(
        "curl -s {base}/api/v1/analytics/evaluations \\\n  -H \"Authorization: Bearer $FEATURED_TOKEN\" -H 'Content-Type: application/json' \\\n  -d '{{\"evaluations\": [{{\"featureKey\": \"{feature}\", \"value\": true, \"userId\": \"123\", \"count\": 3}}]}}'"
    );
    html! {
        section { h2 { "What is counted" }
            p { "One evaluation for each feature whose value was answered for a context, whichever way a program asks, from memory or not. An answer that says “nothing new”, the rules that a program reads to evaluate by itself, the test page and previews are not counted. Programs that evaluate by themselves can report what they did:" }
            (code("c-report", &report))
            p { "Figures are written every few seconds and kept for the number of days the server was started with (90 unless told otherwise). With " code { "--sampling 0.1" } " a tenth of the evaluations is counted, chosen by chance, and scaled up; " code { "--sampling 0" } " counts nothing." }
        }
        section { h2 { "People" }
            p { "People are told apart by userId, of which only a hash with a secret of this server is kept. Up to 500 they are counted exactly, more of them within about 1.6 %." }
            p { "Of contexts, only values of fields that a rule looks at are counted, never those of the fields that the site excludes (userId, email and the like to begin with), and none that equals the user id. The list stands at the end of the Analytics page." }
        }
        section #events { h2 { "A/B tests" }
            p { "Split people over variants with a rule, and report what counts as a success, with the same userId:" }
            (code("c-event", &event))
            p { "The Analytics page of the feature then says, for each variant, how many of the people who were first given it in those days did it afterwards. The interval around a rate is Wilson’s. A variant is compared with the control by a two-sided two-proportion z test, the interval of the difference is Newcombe’s; with several variants both are widened for the number of comparisons (Bonferroni). “Better” and “worse” mean a probability of chance below 5 %." }
            p { "Before anything else the split itself is tested (χ²). If people are not split as the weights say, with a probability of chance below 0.1 %, something loses or favours people, and no rate can be trusted. Changing the weights during a test looks the same: begin a new one." }
            p.m2 { "Decide beforehand how long a test runs. Whoever looks every day and stops at the first good number finds differences that are none." }
        }
        section { h2 { "Stale features" }
            p { "A feature is marked stale when nobody has asked for it in 30 days, when it is on for everybody its rules are for and has not been changed in 90 days, or when everybody has got the same value for 90 days. Each site can set both numbers at the end of its Analytics page. Where programs read whole rule sets, “not asked” is not known and not claimed." }
        }
    }
}

pub fn featurehub(reader: &Reader) -> Markup {
    let Reader { base, site, environment, .. } = reader;
    html! {
        p { "Programs that use FeatureHub’s SDKs need no change: give them this server’s address, " code { (base) } ", and a key. Keys are made on the "
            a href={ "/sites/" (site) "/environments/" (environment) "/featurehub" } { "FeatureHub page of " (environment) } ", with set-up to paste." }
        section { h2 { "Words" }
            dl.stack {
                (term("Service account, API key", "A token. Its FeatureHub spelling is the environment’s id, a slash and a secret. With a * in the secret, clients get the rules and evaluate by themselves (a server token); without, they send the user and get values (a client token)."))
                (term("Rollout strategies", "The rules of a feature, in their order. Application strategies and feature groups are segments here."))
                (term("Attributes", "userkey is userId, and names the stored Context. Percentages stick to the session where one is sent, else to userkey, or to the attributes that the rule names."))
                (term("Feature value", "The default value. The test client changes that, and the lock."))
                (term("Locked", "Refuses every change until it is unlocked, also by interceptors in clients."))
                (term("Feature properties", "Names and texts of a feature, set with its description; keys with EXTENDED_DATA read them."))
                (term("Permissions", "READ is everyone’s. CHANGE_VALUE, LOCK and UNLOCK are for tests, EXTENDED_DATA for properties."))
            }
        }
        section { h2 { "Percentages" }
            p { "Clients that evaluate by themselves put users into buckets by murmur3. A feature with a rollout or split must have that bucketing too (in its settings), or it is left out of what they get." }
        }
        section { h2 { "What is left out" }
            p { "A feature whose rules these clients would not evaluate exactly as this server does is not sent to them at all. The FeatureHub page lists each with the reason. The most common ones, and what to do:" }
            dl.stack {
                (term("A negative condition that also holds without the attribute", "Make it strict: then a missing attribute fails it, here and there."))
                (term("A rollout under sha256", "Set the feature’s bucketing to murmur3. Users are then in other buckets than before."))
                (term("exists, letter case ignored, versions of four parts, \\d in a pattern", "They have no counterpart. Server-evaluated keys get such features."))
            }
        }
        section { h2 { "Known of the SDKs" }
            dl.stack {
                (term("JavaScript 1.4.0", "Of several percentages in one feature only the first is exact. A whole number is compared without the decimals of the rule’s. IPv6 networks raise an error."))
                (term("Python 1.1.0", "Of several percentages with one key only the first applies. Only the first value of a list is sent."))
                (term("All", "A list of values under a negative condition: clients say any of them, this server all."))
            }
        }
        section { h2 { "For operators" }
            p { code { "--featurehub-cache-control" } " sets how often clients poll (max-age), " code { "--featurehub-heartbeat" } " and " code { "--featurehub-drop-after" } " how streams behave, " code { "--featurehub-fastly" } " puts surrogate keys on answers. Maintenance and rate limits are 503, since clients give up for good on anything else." }
        }
    }
}

pub fn openfeature(reader: &Reader) -> Markup {
    crate::ui::openfeature::page(&reader.base, &reader.feature)
}
