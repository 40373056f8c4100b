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
use crate::jobs::webhooks::body::EVENTS;
use crate::store;

/// Name, title and one line of every page.
const PAGES: &[(&str, &str, &str)] = &[
    ("concepts", "Concepts", "Sites, environments, features, rules, contexts and tokens."),
    ("evaluation", "How a value is found", "The five steps, and what each reason means."),
    ("rules", "Rules and conditions", "Operators, groups, segments, rollouts and splits."),
    ("integrate", "Connect a program", "JavaScript, React, Node, Python and curl, ready to copy."),
    ("git", "Flags in git", "Export, import, dry run."),
    (
        "webhooks",
        "Webhooks",
        "Programs and chats that are told of changes, and how they check that it is true.",
    ),
    ("gdpr", "GDPR", "What people may ask of their data, and what an erasure does."),
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
        let base = match &app.config.base_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => {
                let host =
                    req.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1:8080");
                format!("http://{host}")
            }
        };
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
        "integrate" => integrate(&reader),
        "git" => git(&reader),
        "webhooks" => webhooks(),
        "gdpr" => gdpr(),
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
fn code(id: &str, text: &str) -> Markup {
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

fn git(reader: &Reader) -> Markup {
    let site = &reader.site;
    html! {
        p { "A whole site is one document: segments, environments, features with their rules, stored Contexts. Keep it in git, review changes, and apply it; applying it twice changes nothing." }
        (code("c-export", &format!("featured export --site {site} --db flags.db > {site}.yaml")))
        (code("c-import", &format!("featured import {site}.yaml --dry-run --db flags.db\nfeatured import {site}.yaml --db flags.db")))
        p.m2 { "A dry run prints what would be created, updated and deleted, with every difference. " code { "--mode replace" } " also deletes what the document lacks. A locked feature must be unlocked by hand first." }
    }
}

fn webhooks() -> Markup {
    let node = "import { createHmac, timingSafeEqual } from 'node:crypto';\n\n// body: the bytes as they arrived, before anything parses them\nexport function isGenuine(body, header, secret) {\n  const expected = 'sha256=' + createHmac('sha256', secret).update(body).digest('hex');\n  return header.length === expected.length && timingSafeEqual(Buffer.from(header), Buffer.from(expected));\n}";
    let python = "import hashlib, hmac\n\ndef is_genuine(body: bytes, header: str, secret: str) -> bool:\n    expected = 'sha256=' + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()\n    return hmac.compare_digest(header, expected)";
    html! {
        p { "A webhook is an address that is told of changes: each event is one POST. For programs it is JSON; for Slack, Microsoft Teams and Discord it is a message that says in words what changed, where, and by whom." }
        section { h2 { "Events" }
            table.tbl.dense { caption.vh { "Events" } thead { tr { th scope="col" { "Event" } th scope="col" { "Sent when" } } } tbody {
                @for (name, text) in EVENTS { tr { th scope="row" { code { (name) } } td { (text) } } }
            } }
            p.m2 { "One change is one event: rule.… when one rule was changed, else one feature.… whose changes name the rules, too. The page of a webhook shows an example of each." }
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
            p { "Anything but 2xx within 10 seconds is a failure; redirects are not followed. An event is tried again after 5 seconds, then ever later, eight times over some four hours; later events wait, so that they arrive in order. Then the event is given up and the next one goes. After three days without a delivery the webhook is turned off, and whoever made it gets a mail. Turned on again, it is told of what happens from then on." }
            p { "After a crash of this server some events may arrive twice, under the same id; none is lost." }
        }
        section { h2 { "Where it may go" }
            p { "HTTPS on the public internet. Addresses of private networks are refused after the name is looked up; " code { "--webhook-allow-private 10.0.0.0/8" } " allows some. " code { "--dev" } " also allows http://." }
        }
    }
}

fn gdpr() -> Markup {
    html! {
        p { "People may ask to see their data (article 15), to take it elsewhere (article 20) and to be forgotten (article 17). An administrator makes the request under GDPR requests, or people ask for their own data on their profile. Each is done at once and in the background; the law gives 30 days." }
        dl.stack {
            (term("Access and portability", "One JSON file: account, sites owned, what they changed, second factor without secrets, trusted devices, sessions, access tokens by description, GDPR history. It is sealed in the database, can be downloaded by administrators for 30 days, and is then deleted. The person is mailed."))
            (term("Erasure", "The account becomes a name that says nothing. Sessions, devices, tokens, failed sign-ins and mail go. The e-mail address is replaced wherever it stands, in rules too; the user name where it tells who did something, and in descriptions and the audit log; stored Contexts under either are deleted. In values and keys the user name stays, since the same word may mean something else there. Then the file is rewritten, so that nothing is left between its pages. It cannot be taken back."))
            (term("Audit log", "Entries that named the person are rewritten, and an entry lists their new digests: featured audit verify, or Verify in the API, still finds every other edit."))
            (term("Backups", "They hold what was there when they were made: delete them when their time is over. So do copies made before an upgrade, whose names end in .bak."))
            (term("Mail", "After an erasure the person is mailed straight away, if there is a mail server; nothing is kept of it. Else tell them yourself."))
        }
    }
}

fn running() -> Markup {
    html! {
        p { "One process, one file. " code { "featured --help" } " lists every option; each is also a variable FEATURED_… and a line in a TOML file." }
        dl.stack {
            (term("Health", "/healthz says that the process lives, /readyz that the database can be written, /metrics has numbers for Prometheus."))
            (term("Users at the terminal", "featured user add, passwd, reset-2fa and list work on the file, also beside a running server."))
            (term("Durability", "A change that was acknowledged is on disk. If the disk is full, evaluation goes on from memory and changes are refused with the reason."))
            (term("Backups", "featured backup copy.db writes a checked copy while the server runs; featured restore copy.db puts it back once the server has ended. The key file beside the database is not in it: keep it apart."))
            (term("Upgrades", "A newer binary copies the file beside itself before it lifts it."))
        }
    }
}
