//! Help about the ways in that other systems' programs take, and about what is counted.

use maud::{Markup, html};

use super::{Reader, code, term};
use crate::jobs::webhooks::body::EVENTS;

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
            p { "Of contexts, only values of fields that a rule looks at are counted, never those of the fields that the site excludes (userId, email and the like to begin with; email is also Email and user.email), and none that equals the user id. The list stands at the end of the Analytics page." }
        }
        section #events { h2 { "A/B tests" }
            p { "Split people over variants with a rule, and report what counts as a success, with the same userId:" }
            (code("c-event", &event))
            p { "The Analytics page of the feature then says, for each variant, how many of the people who were first given it in those days did it afterwards (what they did is known by the day). The interval around a rate is Wilson’s. A variant is compared with the control by a two-sided two-proportion z test, the interval of the difference is Newcombe’s; with several variants both are widened for the number of comparisons (Bonferroni). “Better” and “worse” mean a probability of chance below 5 %." }
            p { "Before anything else the split itself is tested (χ²). If people are not split as the weights say, with a probability of chance below 0.1 %, something loses or favours people, and no rate can be trusted. Changing the weights during a test looks the same: begin a new one." }
            p.m2 { "Decide beforehand how long a test runs. Whoever looks every day and stops at the first good number finds differences that are none." }
        }
        section { h2 { "Stale features" }
            p { "A feature is marked stale when nobody has asked for it in 30 days, when it is on, answers everybody the same and has not been changed in 90 days, or when everybody has got the same value for 90 days. Each site can set both numbers at the end of its Analytics page. Where programs read whole rule sets, “not asked” is not known and not claimed." }
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
                (term("Attributes", "userkey is userId, and names the stored Context. Percentages stick to the session where one is sent, else to userkey, or to the rule’s percentage attributes: “Stick to” in its form, several by commas."))
                (term("Feature value", "The default value. The test client changes that, and the lock."))
                (term("Locked", "Refuses every change until it is unlocked, also by interceptors in clients."))
                (term("Retired", "FeatureHub’s clients are not told of the feature any more, as if it were deleted; every other client is. Set with the description of a feature."))
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
                (term("Java 3.3", "Where it evaluates by itself it puts users into other buckets than every other SDK and this server: its hash begins with a seed of its own. With a server-evaluated key its percentages are exact."))
                (term("All", "A list of values under a negative condition: clients say any of them, this server all."))
            }
        }
        section { h2 { "For operators" }
            p { code { "--featurehub-cache-control" } " sets how often clients poll (max-age), " code { "--featurehub-heartbeat" } " and " code { "--featurehub-drop-after" } " how streams behave, " code { "--featurehub-fastly" } " puts surrogate keys on answers; with " code { "--featurehub-fastly-service" } " and " code { "--featurehub-fastly-key" } " Fastly is told to forget an environment’s answers after each change. Maintenance and rate limits are 503, since clients give up for good on anything else." }
        }
    }
}

pub fn openfeature(reader: &Reader) -> Markup {
    crate::ui::openfeature::page(&reader.base, &reader.feature)
}

pub fn contexts(reader: &Reader) -> Markup {
    let Reader { base, site, environment, .. } = reader;
    let at = format!("{base}/api/v1/sites/{site}/environments/{environment}/contexts");
    let row = |key: &str, prototypes: &str, values: &str| {
        html! { tr { th scope="row" { code { (key) } } td { (prototypes) } td { (values) } } }
    };
    let case = |what: Markup, order: &str, result: Markup| {
        html! { li { p { b { (what) } } p.m2 { "Asked: " (order) } p { (result) } } }
    };
    html! {
        p { "A Context is a stored somebody or something with feature values of its own: a person, a team, an organisation, a device, a group of testers. Where it has no value, its prototypes are asked, in the order of its list. So a team says once what holds for all of its members." }
        h2 { "The order" }
        ol {
            li { code { "override" } ": asked first, for everyone. Empty but in an emergency." }
            li { "the Context itself" }
            li { "its prototypes, depth first: the first one and everything that one inherits from, then the second. Each is asked once, where it comes up first." }
            li { code { "default" } ": asked last. Its values are the features’ own default values." }
        }
        p { "The first that has a value wins; " code { "no" } ", " code { "0" } " and an empty text are values. Nothing is merged. A cycle is refused when it is written." }
        h2 { "An example" }
        table.tbl.stackable {
            caption.vh { "Six Contexts and their values" }
            thead { tr { th scope="col" { "Context" } th scope="col" { "Prototypes" } th scope="col" { "Own values" } } }
            tbody {
                (row("default", "none", "banner = Welcome, beta_ui = no, seats = 3"))
                (row("org-nordic", "none", "seats = 50, banner = Hej"))
                (row("pilots", "none", "beta_ui = yes, banner = Pilot"))
                (row("team-blue", "org-nordic", "ratio = 0.25"))
                (row("mia", "team-blue, pilots", "none"))
                (row("mia-phone", "mia", "banner = empty text"))
            }
        }
        ul.stack {
            (case(html! { "mia" }, "override, mia, team-blue, org-nordic, pilots, default", html! { "banner = Hej and seats = 50 from org-nordic, ratio = 0.25 from team-blue, beta_ui = yes from pilots. Pilots has a banner too, but org-nordic is nearer: it stands behind the first prototype." }))
            (case(html! { "mia-phone" }, "override, mia-phone, mia, team-blue, org-nordic, pilots, default", html! { "banner is empty, from mia-phone itself; the rest as mia." }))
            (case(html! { "mia, when override says beta_ui = no" }, "the same", html! { "beta_ui = no, for her and for everyone." }))
            (case(html! { "mia, once her prototypes are pilots, team-blue" }, "override, mia, pilots, team-blue, org-nordic, default", html! { "banner = Pilot; seats = 50 still, since pilots says nothing of seats." }))
            (case(html! { "nobody, who is not stored" }, "override, default", html! { "banner = Welcome, beta_ui = no, seats = 3, and no ratio. That is no error: most users never get a Context of their own." }))
            (case(html! { "nobody, with the prototype pilots sent along" }, "override, pilots, default", html! { "banner = Pilot, beta_ui = yes, seats = 3. Nothing is stored for this." }))
        }
        h2 { "Where they stand among the rules" }
        p { "Evaluation asks: override, the feature’s switch, the stored Context of the user, the rules, the default value. The Context is the one that " code { "contextKey" } " names, else " code { "userId" } " (the environment’s settings can turn the latter off); " code { "contextPrototypes" } ", a list, sends prototypes along. Give the keys of groups a prefix, such as " code { "team:blue" } ", so that no user’s id is one of them." }
        h2 { "The emergency override" }
        p { "On a feature’s page, “Override for everyone” puts a value and the reason for it into " code { "override" } "; from the next request on everyone gets it, whatever the switch and the rules say. “Lift the override” takes it back. While there is one, every page of the environment says so." }
        h2 { "From a program" }
        p { "Writing needs a server token with " code { "CONTEXTS_WRITE" } ", or a personal access token of an editor; looking up needs any token of the environment." }
        h3 { "Store a team, and a user who is in it" }
        (code("ctx-store", &format!(
            "curl -X PUT {at}/team:blue -H \"Authorization: Bearer $FEATURED_TOKEN\" -H 'Content-Type: application/json' \\\n  -d '{{\"prototypes\": [], \"features\": {{\"seats\": \"50\"}}}}'\ncurl -X PUT {at}/mia -H \"Authorization: Bearer $FEATURED_TOKEN\" -H 'Content-Type: application/json' \\\n  -d '{{\"prototypes\": [\"team:blue\"], \"features\": {{}}}}'"
        )))
        h3 { "What mia gets, and why" }
        (code("ctx-why", &format!(
            "curl '{at}/mia/features?explain=true' -H \"Authorization: Bearer $FEATURED_TOKEN\""
        )))
        h3 { "Somebody who is not stored, in two groups" }
        (code("ctx-virtual", &format!(
            "curl {at}:lookup -H \"Authorization: Bearer $FEATURED_TOKEN\" -H 'Content-Type: application/json' \\\n  -d '{{\"subjects\": [{{\"key\": \"u-17\", \"prototypes\": [\"pilots\", \"team:blue\"]}}]}}'"
        )))
        h3 { "Everything as a file, for git" }
        (code("ctx-git", &format!(
            "featured contexts export --db flags.db --site {site} --env {environment} --file contexts.yaml\nfeatured contexts plan   --db flags.db --site {site} --env {environment} --file contexts.yaml\nfeatured contexts apply  --db flags.db --site {site} --env {environment} --file contexts.yaml"
        )))
        h2 { "Programs written for featuresd" }
        p { "They find its API at " code { (base) "/featuresd/api" } ", with a token as Bearer or in the path: " code { (base) "/featuresd/TOKEN/api" } ". Started with " code { "--featuresd-root" } " it is at " code { "/api/features" } " and " code { "/api/contexts" } " too." }
    }
}

pub fn flagr(reader: &Reader) -> Markup {
    let Reader { base, site, environment, feature, .. } = reader;
    let curl = format!(
        "curl -s {base}/flagr/api/v1/evaluation \\\n  -H \"Authorization: Bearer $FEATURED_TOKEN\" -H 'Content-Type: application/json' \\\n  -d '{{\"entityID\": \"ann\", \"entityContext\": {{\"country\": \"DE\"}}, \"flagKey\": \"{feature}\"}}'"
    );
    let node = format!(
        "import flagr from 'flagr-client';\n\n// flagr-client sets no headers: the token stands in the path.\nconst server = new flagr.ServerConfiguration(`{base}/flagr/${{process.env.FEATURED_TOKEN}}/api/v1`, {{}});\nconst evaluation = new flagr.EvaluationApi(flagr.createConfiguration({{ baseServer: server }}));\n\nconst {{ variantKey }} = await evaluation.postEvaluation({{ entityID: 'ann', flagKey: '{feature}' }});"
    );
    let python = format!(
        "import os\nimport flagr\n\nconfiguration = flagr.Configuration()\nconfiguration.host = f\"{base}/flagr/{{os.environ['FEATURED_TOKEN']}}/api/v1\"\nevaluation = flagr.EvaluationApi(flagr.ApiClient(configuration))\n\nanswer = evaluation.post_evaluation(flagr.EvalContext(entity_id=\"ann\", flag_key=\"{feature}\"))\nprint(answer.variant_key)"
    );
    let import = format!(
        "# from Flagr: GET /api/v1/export/eval_cache/json, or its SQLite file\nfeatured import --from flagr --site {site} --env {environment} --db flags.db --dry-run flags.json\nfeatured import --from flagr --site {site} --env {environment} --db flags.db flags.json"
    );
    html! {
        p { "Programs written for Flagr run against " code { (base) "/flagr/api/v1" } " with a bearer token, or against " code { (base) "/flagr/TOKEN/api/v1" } " where they set no headers. Evaluation takes any token of the environment; managing flags takes one with the permission " code { "FLAGR_ADMIN" } "." }
        section { h2 { "What a flag is here" }
            dl.stack {
                (term("Flag", "A feature of type STRING with crc32 bucketing and an empty default. It is on the Features page like any other, with history, audit and webhooks; and what is changed there is seen by Flagr's programs."))
                (term("Variant", "A variant whose value is its key. The attachment goes to the program beside it."))
                (term("Segment", "A rule. Segments are asked by rank, then number. One whose constraints hold ends the search: who its rollout leaves out gets nothing, whatever comes behind."))
                (term("Constraint", "Kept as it was sent, in Flagr's own language: nothing is coerced, a missing property never matches, CONTAINS is about lists."))
                (term("Numbers", "Flags, variants, segments, constraints, distributions, tags and snapshots have numbers of their own in each environment. They are never given twice; imports and documents keep them."))
                (term("Other features", "Are evaluated too: on and off for a BOOLEAN, the variant's key, else value; the value itself is variantAttachment.value."))
                (term("Snapshots", "Each version of a flag is a snapshot. A feature's History names the number beside the version, and goes back to any of them."))
                (term("Exposures", "Those of a flag that keeps data records (dataRecordsEnabled) reach the analytics: who was shown a variant takes part in the comparison of variants. They are not counted as evaluations; those are counted where they are answered."))
                (term("Time and headers", "Started with --flagr-injected-context, the server adds @ts, @ts_hour, @ts_weekday and @ts_month (UTC) to every entityContext, and the headers that --flagr-injected-header names: X-Country becomes @http_x_country."))
                (term("Deleted flags", "Wait on the page Flagr below Test until they are restored or purged."))
            }
        }
        section { h2 { "curl" } (code("c-flagr-curl", &curl)) }
        section { h2 { "Node" } (code("c-flagr-node", &node)) }
        section { h2 { "Python" } (code("c-flagr-python", &python)) }
        section { h2 { "Moving from Flagr" }
            (code("c-flagr-import", &import))
            p.m2 { "All numbers are kept, so every user stays in the bucket they were in. What cannot be represented is named, and then nothing is taken over. A dry run prints the report." }
        }
    }
}

const FARFETCHED: &str = include_str!("../../../assets/farfetched/feature-flags.js");

pub fn farfetched(reader: &Reader) -> Markup {
    let Reader { base, feature, .. } = reader;
    let usage = format!(
        "import {{ createEvent, createStore }} from 'effector';\nimport {{ runtypeContract }} from '@farfetched/runtypes';\nimport {{ Boolean }} from 'runtypes';\nimport {{ createFeatureFlags }} from './feature-flags.js';\n\nconst $userId = createStore(null);\nconst $language = createStore(null);\n\nconst {{ createFlag }} = createFeatureFlags({{\n  url: '{base}/flagr/api/v1/evaluation/batch',\n  token: 'YOUR CLIENT TOKEN',\n  context: {{ userId: $userId, language: $language }},\n  staleAfter: '5min',\n}});\n\n// Call it once the application has started.\nexport const applicationInitialized = createEvent();\n\nexport const {{ $value: $dynamicFaviconEnabled, $isDefault }} = createFlag({{\n  key: '{feature}',\n  fetchOn: applicationInitialized,\n  defaultValue: false,\n  contract: runtypeContract(Boolean),\n}});"
    );
    html! {
        p { "A service for applications made with effector and Farfetched: one request for all flags that are needed, the application's context in it, a default before the answer and after an error, and a contract that keeps unexpected values out." }
        section { h2 { "feature-flags.js" }
            p.m2 { "npm install " code { "effector @farfetched/core @farfetched/runtypes runtypes@6" } }
            (code("c-farfetched", FARFETCHED))
        }
        section { h2 { "In the application" } (code("c-farfetched-use", &usage)) }
        section { h2 { "The flag" }
            p { "Give it variants such as " code { "on" } " and " code { "off" } " with the attachments " code { "{\"value\": true}" } " and " code { "{\"value\": false}" } ". A BOOLEAN feature needs none: its value arrives the same way." }
        }
        section { h2 { "What differs from the published recipe" }
            ul {
                li { "It asks " code { "/evaluation/batch" } ", and takes the rows out of " code { "evaluationResults" } "." }
                li { "The value is the attachment's, not the whole row." }
                li { "There is initial data, so flags have their default before the first answer." }
                li { "Keys are gathered before the request leaves; otherwise several flags on one event would cancel each other's requests." }
            }
        }
    }
}

pub fn webhooks(_: &Reader) -> Markup {
    let node = "import { createHmac, timingSafeEqual } from 'node:crypto';\n\n// body: the bytes as they arrived, before anything parses them\nexport function isGenuine(body, header, secret) {\n  const expected = 'sha256=' + createHmac('sha256', secret).update(body).digest('hex');\n  return header.length === expected.length && timingSafeEqual(Buffer.from(header), Buffer.from(expected));\n}";
    let python = "import hashlib, hmac\n\ndef is_genuine(body: bytes, header: str, secret: str) -> bool:\n    expected = 'sha256=' + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()\n    return hmac.compare_digest(header, expected)";
    html! {
        p { "A webhook is an address that is told of changes: each event is one POST. For programs it is JSON; for Slack, Microsoft Teams and Discord it is a message that says in words what changed, where, and by whom." }
        section { h2 { "Events" }
            table.tbl.dense { caption.vh { "Events" } thead { tr { th scope="col" { "Event" } th scope="col" { "Sent when" } } } tbody {
                @for (name, text) in EVENTS { tr { th scope="row" { code { (name) } } td { (text) } } }
            } }
            p.m2 { "One change is one event: rule.… when one rule was changed, else one feature.… whose changes name the rules, too. The page of a webhook shows an example of each. That an environment was made or deleted is told to webhooks of all environments alone; those of one environment are deleted with it." }
        }
        section { h2 { "Headers" }
            dl.stack {
                (term("X-Webhook-Signature", "sha256= and the HMAC-SHA256 of the body with the secret, in hexadecimal."))
                (term("X-Webhook-Signature-Previous", "The same with the old secret, for as long as it is valid after a rotation. A receiver that knows only the old one checks this."))
                (term("X-Webhook-Id", "The id of the event, the same on every try: whoever has seen it may ignore it."))
                (term("X-Webhook-Event, X-Webhook-Timestamp", "What happened, and when."))
            }
        }
        section { h2 { "Check the signature" } (code("c-hook-node", node)) (code("c-hook-python", python)) }
        section { h2 { "When it fails" }
            p { "Anything but 2xx within 10 seconds (or what --webhook-timeout says) is a failure; redirects are not followed. An event is tried again after 5 seconds, then ever later, eight times over some four hours; later events wait, so that they arrive in order. Then the event is given up and the next one goes. After three days without a delivery the webhook is turned off, and whoever made it gets a mail. Turned on again, it is told of what happens from then on." }
            p { "After a crash of this server some events may arrive twice, under the same id; none is lost." }
        }
        section { h2 { "Where it may go" }
            p { "HTTPS on the public internet. Addresses of private networks are refused after the name is looked up; " code { "--webhook-allow-private 10.0.0.0/8" } " allows some. A receiver whose certificate comes from an authority of your own needs " code { "--webhook-ca-file ca.pem" } ". " code { "--dev" } " also allows http://." }
        }
    }
}

pub fn gdpr(_: &Reader) -> Markup {
    html! {
        p { "People may ask to see their data (article 15), to take it elsewhere (article 20) and to be forgotten (article 17). An administrator makes the request under GDPR requests, or people ask for their own data on their profile. Each is done at once and in the background; the law gives 30 days." }
        dl.stack {
            (term("Access and portability", "One JSON file: account, sites owned, what they changed, what others changed of their account, second factor without secrets, trusted devices, sessions, access tokens by description, GDPR history. It is sealed in the database, can be downloaded by administrators for 30 days, and is then deleted. The person is mailed."))
            (term("Erasure", "The account becomes a name that says nothing. Sessions, devices, tokens, failed sign-ins and mail go. So do names and addresses from before they were changed. The e-mail address is replaced wherever it stands, in rules too; the user name where it tells who did something, and in descriptions and the audit log; stored Contexts under either are deleted, and what was counted of them as a user of your features. In values and keys the user name stays, since the same word may mean something else there; so does one of letters alone, such as checkout, in the descriptions of what somebody else changed last. Data of other people that waits to be downloaded is collected again. Then the file is rewritten, so that nothing is left between its pages. It cannot be taken back."))
            (term("Audit log", "Entries that named the person are rewritten, and an entry lists their new digests: featured audit verify, or Verify in the API, still finds every other edit."))
            (term("Backups", "They hold what was there when they were made: delete them when their time is over. So do the copies beside the database: flags.db.v1.bak and the like of an upgrade, flags.db.before-restore of a restore, with a number behind where there are several."))
            (term("Mail", "After an erasure the person is mailed straight away, if there is a mail server; nothing is kept of it. Else tell them yourself."))
        }
    }
}
