//! `/help`: the product explained in the product, with code that has the reader's own address in it.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::components::icon;
use super::failure::Failure;
use super::layout::Page;
use crate::api::request::Query;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::error::Error;
use crate::store;

/// Name, title and one line of every page.
const PAGES: &[(&str, &str, &str)] = &[
    ("concepts", "Concepts", "Sites, environments, features, rules, contexts and tokens."),
    ("evaluation", "How a value is found", "The five steps, and what each reason means."),
    ("rules", "Rules and conditions", "Operators, groups, segments, rollouts and splits."),
    ("analytics", "Analytics", "What is counted, what the figures mean, A/B tests, stale features."),
    ("integrate", "Connect a program", "JavaScript, React, Node, Python and curl, ready to copy."),
    ("featurehub", "FeatureHub", "Its SDKs work here as they are: keys, set-up, differences."),
    ("openfeature", "OpenFeature", "The standard SDKs in ten languages, ready to copy."),
    ("git", "Flags in git", "Export, import, dry run."),
    ("running", "Running the server", "Options, health, what happens when the disk is full."),
];

/// `GET /help`.
pub async fn index(app: Data<App>, req: HttpRequest, signed: Signed) -> HttpResponse {
    let page = Page::new(&app, &req, &signed, "Help").narrow();
    page.show(html! {
        div.head { div { h1 { "Help" } p.lede { "What everything is for, and code to copy." } } }
        ul.stack.l { @for (name, title, text) in PAGES {
            li { a.b href={ "/help/" (name) } { (title) } p.m2 { (text) } }
        } }
        p { "Every call, parameter and answer of the API: " a href="/api/docs" { "API reference" } "." }
    })
}

/// How the reader reaches this server.
pub fn base(app: &App, req: &HttpRequest) -> String {
    match &app.config.base_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => {
            let host =
                req.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1:8080");
            format!("http://{host}")
        }
    }
}

/// Where the reader's programs ask.
struct Reader {
    base: String,
    site: String,
    environment: String,
    feature: String,
}

impl Reader {
    fn of(app: &App, req: &HttpRequest) -> crate::error::Result<Self> {
        let query = Query::of(req);
        let base = base(app, req);
        let found = app.read_consistent(|conn| {
            let sites = store::sites::all(conn)?;
            let site =
                sites.iter().find(|site| Some(site.slug.as_str()) == query.get("site")).or(sites.first());
            let Some(site) = site else { return Ok(None) };
            let environments = store::environments::list(conn, site.id)?;
            let environment = environments
                .iter()
                .find(|environment| Some(environment.name.as_str()) == query.get("env"))
                .or(environments.first());
            Ok(Some((site.slug.clone(), environment.cloned())))
        })?;
        let (site, environment) = found.unwrap_or_else(|| ("shop".into(), None));
        let feature = environment
            .as_ref()
            .and_then(|environment| app.live.environment(environment.id))
            .and_then(|live| live.snapshot().features().next().map(|feature| feature.key.to_string()));
        Ok(Self {
            base,
            site,
            environment: environment.map_or_else(|| "prod".into(), |environment| environment.name),
            feature: feature.unwrap_or_else(|| "new_checkout".into()),
        })
    }
}

/// `GET /help/{page}`.
pub async fn show(
    app: Data<App>,
    req: HttpRequest,
    signed: Signed,
    name: Path<String>,
) -> Result<HttpResponse, Failure> {
    let (_, title, lede) = PAGES
        .iter()
        .find(|(page, ..)| *page == name.as_str())
        .ok_or_else(|| Error::NotFound(format!("the help page {name}")))?;
    let reader = Reader::of(&app, &req)?;
    let body = match name.as_str() {
        "concepts" => concepts(),
        "evaluation" => evaluation(),
        "rules" => rules(),
        "analytics" => analytics(&reader),
        "integrate" => integrate(&reader),
        "featurehub" => featurehub(&reader),
        "openfeature" => super::openfeature::page(&reader.base, &reader.feature),
        "git" => git(&reader),
        _ => running(),
    };
    let page = Page::new(&app, &req, &signed, title).narrow();
    Ok(page.show(html! {
        nav.crumb.s.m3 aria-label="Breadcrumb" { a href="/help" { "Help" } }
        div.head { div { h1 { (title) } p.lede { (lede) } } }
        div.prose.stack.l { (body) }
        nav.chips aria-label="More help" { @for (page, title, _) in PAGES { a.chip href={ "/help/" (page) } aria-current=[(*page == name.as_str()).then_some("page")] { (title) } } }
    }))
}

/// Code with a button that copies it.
pub fn code(id: &str, text: &str) -> Markup {
    html! {
        div.code {
            pre id=(id) tabindex="0" { (text) }
            button type="button" .btn.quiet data-copy=(id) { (icon("copy")) span { "Copy" } }
        }
    }
}

fn term(word: &str, text: &str) -> Markup {
    html! { div.stack.t { dt.b { (word) } dd.m2 { (text) } } }
}

fn concepts() -> Markup {
    html! {
        dl.stack {
            (term("Site", "One application or service. It has environments, segments and an owner."))
            (term("Environment", "One place where the site runs: prod, staging, dev. Each has its own features, rules and tokens, independent of the others. One tagged production looks different everywhere and asks before something is turned off. In maintenance, clients are told to come back later; archived, nothing is served and nothing can be changed."))
            (term("Feature", "A key with a type (BOOLEAN, STRING, NUMBER, JSON), a default value, a switch, and rules. Every value is checked against the type when it is written."))
            (term("Rule", "Who gets something else than the default, and what. Rules have a priority; the first that matches answers."))
            (term("Variant", "A named value of a feature, for A/B tests: a rule can split people over variants by weight."))
            (term("Segment", "A condition with a name, of a site: write “staff” once and use it in many rules."))
            (term("Context", "What is known about who asks: userId, plan, country, version, whatever your program sends. Stored Contexts are named ones kept here with values of their own; a person, a team, a test device. They inherit from each other."))
            (term("Token", "What a program shows to ask for the values of one environment. Client tokens are safe in a browser; server tokens may also read the rules."))
        }
    }
}

fn evaluation() -> Markup {
    html! {
        p { "For each feature, the first of these that has an answer gives it:" }
        ol.ladder {
            @for (title, text) in [
                ("Emergency override", "A value in the Context override answers everyone the same. Reason OVERRIDE."),
                ("Switch", "Off: BOOLEAN answers false, everything else nothing, so that the program’s own default applies. Reason DISABLED."),
                ("Stored Contexts", "A value in the stored Context of this user, or in one it inherits from. Reason CONTEXT."),
                ("Rules", "Highest priority first. A rule whose conditions hold and whose rollout includes the user answers. Reason TARGETING_MATCH, or SPLIT where a rollout or split decided."),
                ("Default value", "What everybody else gets. Reason DEFAULT, or STATIC where there are no rules at all."),
            ] { li { span.rung { (icon("right")) } div.step { h2.h3 { (title) } span.say { (text) } } } }
        }
        p { "The test page shows these steps for a context of your choice, with every condition and bucket." }
    }
}

fn rules() -> Markup {
    html! {
        section { h2 { "Conditions" }
            p { "A condition names an attribute, an operator and one or several values. Conditions stand in groups: all of them, any of them, none of them; groups stand in groups." }
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
            p.m2 { "If an attribute is a list, a positive operator wants any element, a negative one every element. Names with dots walk into objects." }
        }
        section { h2 { "Rollout" }
            p { "A percentage takes a share of those whose conditions hold. It is decided by a hash of the user’s id and the feature’s key, so a user always gets the same, and raising the percentage never takes anybody out. Without a user id, a rollout below 100 % leaves out." }
        }
        section { h2 { "Split" }
            p { "A split gives variants by weight; the weights add up to 100. A growing rollout never moves a user from one variant to another." }
        }
    }
}

fn analytics(reader: &Reader) -> Markup {
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

fn integrate(reader: &Reader) -> Markup {
    let Reader { base, site, environment, feature } = reader;
    let script = format!(
        "<script src=\"{base}/feature-config.js\"></script>\n<script>\n  const client = new FeatureConfigClient({{\n    apiToken: 'YOUR CLIENT TOKEN',\n    baseUrl: '{base}/api/v1'\n  }});\n  client.getFeature('{site}', '{environment}', '{feature}', null, {{ userId: '123' }})\n    .then((value) => console.log(value));\n\n  // live: called at once and on every change\n  client.subscribe('{site}', '{environment}', {{ userId: '123' }}, (features) => console.log(features));\n</script>"
    );
    let react = format!(
        "import {{ useEffect, useState }} from 'react';\nimport {{ FeatureConfigClient }} from '{base}/feature-config.js';\n\nconst client = new FeatureConfigClient({{ apiToken: 'YOUR CLIENT TOKEN', baseUrl: '{base}/api/v1' }});\n\nexport function useFeatures(context) {{\n  const [features, setFeatures] = useState({{}});\n  const key = JSON.stringify(context);\n  useEffect(() => client.subscribe('{site}', '{environment}', JSON.parse(key), setFeatures), [key]);\n  return features;\n}}"
    );
    let node = format!(
        "const answer = await fetch('{base}/api/v1/evaluate', {{\n  method: 'POST',\n  headers: {{\n    Authorization: `Bearer ${{process.env.FEATURED_TOKEN}}`,\n    'Content-Type': 'application/json'\n  }},\n  body: JSON.stringify({{ context: {{ userId: '123' }}, features: ['{feature}'] }})\n}});\nconst {{ features }} = await answer.json();\nconsole.log(features['{feature}'].value);"
    );
    let python = format!(
        "import os, requests\n\nanswer = requests.post(\n    \"{base}/api/v1/evaluate\",\n    headers={{\"Authorization\": f\"Bearer {{os.environ['FEATURED_TOKEN']}}\"}},\n    json={{\"context\": {{\"userId\": \"123\"}}, \"features\": [\"{feature}\"]}},\n    timeout=5,\n)\nanswer.raise_for_status()\nprint(answer.json()[\"features\"][\"{feature}\"][\"value\"])"
    );
    let curl = format!(
        "curl -s {base}/api/v1/evaluate \\\n  -H \"Authorization: Bearer $FEATURED_TOKEN\" -H 'Content-Type: application/json' \\\n  -d '{{\"context\": {{\"userId\": \"123\"}}, \"features\": [\"{feature}\"]}}'"
    );
    html! {
        p { "The examples ask " code { (base) } " for the site " code { (site) } ", environment " code { (environment) } ". Make a token on the environment’s Tokens page." }
        section { h2 { "Browser" } (code("c-script", &script)) }
        section { h2 { "React" } (code("c-react", &react)) }
        section { h2 { "Node" } (code("c-node", &node)) }
        section { h2 { "Python" } (code("c-python", &python)) }
        section { h2 { "curl" } (code("c-curl", &curl)) }
    }
}

fn featurehub(reader: &Reader) -> Markup {
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

fn git(reader: &Reader) -> Markup {
    let site = &reader.site;
    html! {
        p { "A whole site is one document: segments, environments, features with their rules, stored Contexts. Keep it in git, review changes, and apply it; applying it twice changes nothing." }
        (code("c-export", &format!("featured export --site {site} --db flags.db > {site}.yaml")))
        (code("c-import", &format!("featured import {site}.yaml --dry-run --db flags.db\nfeatured import {site}.yaml --db flags.db")))
        p.m2 { "A dry run prints what would be created, updated and deleted, with every difference. " code { "--mode replace" } " also deletes what the document lacks. A locked feature must be unlocked by hand first." }
    }
}

fn running() -> Markup {
    html! {
        p { "One process, one file. " code { "featured --help" } " lists every option; each is also a variable FEATURED_… and a line in a TOML file." }
        dl.stack {
            (term("Health", "/healthz says that the process lives, /readyz that the database can be written, /metrics has numbers for Prometheus."))
            (term("Users at the terminal", "featured user add, passwd, reset-2fa and list work on the file, also beside a running server."))
            (term("Durability", "A change that was acknowledged is on disk. If the disk is full, evaluation goes on from memory and changes are refused with the reason."))
            (term("Upgrades", "A newer binary copies the file beside itself before it lifts it."))
        }
    }
}
