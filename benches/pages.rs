//! Server time of the admin UI's pages with 1 000 features (bar: 5 ms at the median of each page). In this process,
//! through the real routes, session, compression and database included; no network.
//!
//!   cargo bench --bench pages              every page
//!   cargo bench --bench pages -- features  those with this in their address
//!
//! Exits with 1 when a page misses the bar.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::{ACCEPT_ENCODING, COOKIE};
use actix_web::test;
use actix_web::web::Data;
use featured::admin::sign_in::{Visitor, open_session};
use featured::admin::{documents, sites, users};
use featured::app::{Actor, App};
use featured::auth::browser;
use featured::config::{Config, Durability};
use featured::engine::permission::Role;
use featured::routes;

const FEATURES: usize = 1000;
const BAR: Duration = Duration::from_millis(5);
const RUNS: usize = 200;
const STUDIES: &str = include_str!("../tests/data/browser-studies.json");

const PAGES: &[&str] = &[
    "/",
    "/sites",
    "/sites/browser",
    "/sites/browser/settings",
    "/sites/browser/environments/prod/features",
    "/sites/browser/environments/prod/features?q=email&state=on&sort=key",
    "/sites/browser/environments/prod/features?sort=state&page=20",
    "/sites/browser/environments/prod/features?q=nothing-like-it",
    "/sites/browser/environments/prod/features/new",
    "/sites/browser/environments/prod/features/EmailAliasesStudy",
    "/sites/browser/environments/prod/features/EmailAliasesStudy?rule=new",
    "/sites/browser/environments/prod/features/EmailAliasesStudy/variants",
    "/sites/browser/environments/prod/features/EmailAliasesStudy/history",
    "/sites/browser/environments/prod/segments",
    "/sites/browser/environments/prod/segments/new",
    "/sites/browser/environments/prod/test",
    "/sites/browser/environments/prod/test?feature=EmailAliasesStudy&context=%7B%22channel%22%3A%22NIGHTLY%22%7D",
    "/sites/browser/environments/prod/audit",
    "/sites/browser/environments/prod/tokens",
    "/sites/browser/environments/prod/settings",
    "/audit",
    "/audit?q=email",
    "/find?q=email&site=browser&env=prod",
    "/help",
    "/help/browser",
    "/account",
    "/admin/users",
    "/admin/two-factor",
    "/admin/outbox",
];

/// The studies over and over under other keys, to a thousand.
fn document() -> String {
    let mut document: serde_json::Value = serde_json::from_str(STUDIES).expect("the studies are JSON");
    let features = document["environments"][0]["features"].as_array_mut().expect("features");
    let studies = features.clone();
    for at in studies.len()..FEATURES {
        let mut copy = studies[at % studies.len()].clone();
        let key = format!("{}_{}", copy["key"].as_str().expect("a key"), at / studies.len());
        copy["key"] = key.into();
        let own = copy.as_object_mut().expect("an object");
        own.remove("id");
        own.remove("bucketingId");
        for rule in copy["rules"].as_array_mut().into_iter().flatten() {
            rule.as_object_mut().expect("a rule").remove("id");
        }
        features.push(copy);
    }
    document.to_string()
}

fn furnish(app: &App) -> String {
    let system = Actor::system("bench");
    let user = users::create(app, &system, "ana", "ana@shop.example", Role::Admin, "correct horse battery")
        .expect("a user");
    let document = documents::read(&document()).expect("a document");
    documents::import(app, &system, &document, None, documents::Mode::Merge, false).expect("an import");
    for at in 0..20 {
        sites::create(app, &system, &format!("{{\"name\": \"Site {at}\"}}")).expect("a site");
    }
    let visitor = Visitor { address: "127.0.0.1", user_agent: "bench" };
    open_session(app, &user, &visitor, true).expect("a session")
}

fn median(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 95 / 100])
}

#[actix_web::main]
async fn main() -> ExitCode {
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with("--")).unwrap_or_default();
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::new(folder.path().join("flags.db"));
    config.durability = Durability::Normal;
    let app: Arc<App> = App::open(config).expect("a database");
    let session = furnish(&app);
    let service = test::init_service(
        actix_web::App::new().app_data(Data::from(app.clone())).configure(routes::configure),
    )
    .await;
    let mut missed = false;
    println!("{:>9} {:>9} {:>8}  page, {FEATURES} features, {RUNS} runs", "median", "95 %", "bytes");
    for page in PAGES.iter().filter(|page| page.contains(&wanted)) {
        let (mut times, mut size) = (Vec::with_capacity(RUNS), 0);
        for run in 0..RUNS + 10 {
            let request = test::TestRequest::get()
                .uri(page)
                .insert_header((COOKIE, format!("{}={session}", browser::COOKIE)))
                .insert_header((ACCEPT_ENCODING, "gzip"))
                .to_request();
            let began = Instant::now();
            let response = test::call_service(&service, request).await;
            let status = response.status();
            let body = test::read_body(response).await;
            // The first ones fill caches.
            if run >= 10 {
                times.push(began.elapsed());
            }
            assert_eq!(status, 200, "{page}");
            size = body.len();
        }
        let (middle, most) = median(&mut times);
        let note = if middle > BAR { "  MISSED" } else { "" };
        missed |= middle > BAR;
        let millis = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1000.0);
        println!("{:>9} {:>9} {size:>8}  {page}{note}", millis(middle), millis(most));
    }
    if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
