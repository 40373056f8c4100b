//! `…/flagr`: a debug console that answers as Flagr's API would, and the flags that were deleted through it.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::components::{ago, empty, icon};
use super::edit::{Edit, blocking};
use super::failure::Failure;
use super::features::Here;
use super::layout::{Page, Toast, done};
use crate::admin::flagr as admin;
use crate::api::flagr::console;
use crate::api::request::Query;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::feature::Bucketing;
use crate::error::Error;
use crate::store;
use crate::store::flagr::Deleted;

/// What each scheme means, where one is chosen or shown.
pub fn bucketing_note(scheme: Bucketing) -> &'static str {
    match scheme {
        Bucketing::Sha256 => {
            "This server's own: SHA-256 of user and key, percentages with two decimals. Who is left out by a rollout \
             goes on to the next rule."
        }
        Bucketing::Murmur3 => {
            "As FeatureHub's clients compute it themselves: percentages with four decimals; rules without conditions \
             add up. Choose it for features that FeatureHub SDKs evaluate."
        }
        Bucketing::Crc32 => {
            "As Flagr computes it: CRC-32 of the flag's number and the user, 1 000 buckets, whole percentages. A \
             segment that holds ends the search: who its rollout leaves out gets the default. Choose it for flags \
             that Flagr's programs manage."
        }
    }
}

/// The choice of a scheme, explained.
pub fn bucketing_choice(chosen: &str) -> Markup {
    let all = [Bucketing::Sha256, Bucketing::Murmur3, Bucketing::Crc32];
    let chosen = Bucketing::parse(chosen).unwrap_or_default();
    html! {
        fieldset.part {
            legend { "Bucketing " span.hint { "how users fall into rollouts and splits" } }
            div.stack {
                @for scheme in all {
                    div.stack.t {
                        label.check for={ "b-" (scheme.as_str()) } {
                            input type="radio" id={ "b-" (scheme.as_str()) } name="bucketing" value=(scheme.as_str()) checked[scheme == chosen]
                                aria-describedby={ "b-" (scheme.as_str()) "-note" };
                            " " code { (scheme.as_str()) }
                        }
                        span.hint id={ "b-" (scheme.as_str()) "-note" } { (bucketing_note(scheme)) }
                    }
                }
                p.hint { "Another scheme puts users into other buckets." }
            }
        }
    }
}

const ONE: &str = "{\n  \"entityID\": \"ann\",\n  \"entityContext\": {\"country\": \"DE\"},\n  \"flagKey\": \"KEY\",\n  \"enableDebug\": true\n}";
const BATCH: &str = "{\n  \"entities\": [\n    {\"entityID\": \"ann\", \"entityContext\": {\"country\": \"DE\"}},\n    {\"entityID\": \"bo\"}\n  ],\n  \"flagKeys\": [\"KEY\"],\n  \"enableDebug\": true\n}";

/// `GET …/flagr?kind=&json=`.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &signed)?;
    let environment = here.place.environment()?.id;
    let deleted = app.read(|conn| store::flagr::deleted(conn, environment))?;
    let query = Query::of(&req);
    let batch = query.get("kind") == Some("batch");
    let asked = query.get("feature");
    let flags = || here.snapshot.features().filter(|f| f.definition().bucketing == Bucketing::Crc32);
    let first = || flags().next().or(here.snapshot.features().next()).map(|feature| feature.key.to_string());
    let key = asked.map(str::to_owned).or_else(first).unwrap_or_else(|| "my-flag".into());
    let json = match query.get("json") {
        Some(json) => json.to_owned(),
        None => if batch { BATCH } else { ONE }.replace("KEY", &key),
    };
    let answer = query.get("json").map(|_| console(&app, environment, &here.snapshot, &json, batch));
    let page = Page::new(&app, &req, &signed, "Flagr").at(&here.place, "test");
    let action = here.section("flagr");
    let main = html! {
        nav.crumb.s.m3 aria-label="Breadcrumb" { a href=(here.section("test")) { "Test" } }
        div.head { div { h1 { "Flagr" } p.lede {
            "Ask as Flagr's programs do, and see what they get, with the reason of every segment. Nothing is counted. "
            a href="/help/flagr" { "About this door" } "."
        } } }
        div.cols.rev {
            form.stack.l method="get" action=(action) {
                fieldset.part {
                    legend { "Request" }
                    div.row {
                        @for (value, label) in [("one", "POST /evaluation"), ("batch", "POST /evaluation/batch")] {
                            label.check for={ "kind-" (value) } {
                                input type="radio" id={ "kind-" (value) } name="kind" value=(value) checked[(value == "batch") == batch];
                                " " code { (label) }
                            }
                        }
                    }
                    p.hint { a href={ (action) "?kind=one" } { "Example of one" } " · " a href={ (action) "?kind=batch" } { "example of a batch" } }
                }
                div.field {
                    label for="json" { "Body" }
                    textarea.mono id="json" name="json" rows="14" spellcheck="false" { (json) }
                    span.hint { code { "enableDebug" } " adds why each segment was taken or passed by." }
                }
                div.row { button.btn.main { "Ask" } }
            }
            div.stack.l {
                @match &answer {
                    None => { p.m2 { "Change the request as you like, and press Ask." } }
                    Some((status, body)) => {
                        section.answer aria-labelledby="answer-h" {
                            h2.s.m3 id="answer-h" { "Answer, status " (status) }
                            div.code { pre id="answer" tabindex="0" aria-label="Answer" { (pretty(body)) }
                                button type="button" .btn.quiet data-copy="answer" { (icon("copy")) span { "Copy" } } }
                        }
                    }
                }
            }
        }
        (deleted_flags(&page, &here, &deleted, app.now()))
    };
    Ok(page.show(main))
}

fn pretty(json: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(json).ok();
    value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| json.to_owned())
}

fn deleted_flags(page: &Page<'_>, here: &Here, deleted: &[Deleted], now: i64) -> Markup {
    html! {
        section.sect id="deleted" aria-labelledby="deleted-h" {
            header { h2 id="deleted-h" { "Deleted flags" } span.end.m3 { "they keep their key and number until they are purged" } }
            @if deleted.is_empty() { (empty("No deleted flags", "What Flagr's API deletes waits here to be restored.", None)) }
            @else {
                table.tbl.stackable {
                    caption.vh { "Flags deleted through Flagr's API" }
                    thead { tr { th scope="col" { "Flag" } th scope="col" { "Number" } th scope="col" { "Deleted" }
                        @if here.can_change { th scope="col" { span.vh { "Change" } } } } }
                    tbody { @for flag in deleted { tr {
                        th scope="row" { b.key { (flag.key) } }
                        td.num { (flag.number) }
                        td.m2 { (ago(flag.deleted_at, now)) " by " (flag.deleted_by) }
                        @if here.can_change { td.tight { form.row method="post" action={ (here.section("flagr")) } {
                            (page.csrf())
                            input type="hidden" name="number" value=(flag.number);
                            button.btn.quiet name="op" value="restore" aria-label={ "Restore " (flag.key) } { (icon("undo")) "Restore" }
                            button.btn.quiet name="op" value="purge" aria-label={ "Purge " (flag.key) } { (icon("trash")) "Purge" }
                        } } }
                    } } }
                }
            }
        }
    }
}

/// `POST …/flagr`: restores or purges a deleted flag.
pub async fn change(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let environment = here.place.environment()?.id;
    let number: u32 = edit.form.get("number").parse().unwrap_or_default();
    let (actor, server) = (edit.signed.actor(), app.clone());
    let location = here.section("flagr");
    match edit.form.get("op") {
        "restore" => {
            let restored = blocking(move || admin::restore(&server, &actor, environment, number)).await;
            let feature = restored.map_err(as_not_found)?;
            let key = &feature.definition.key;
            Ok(done(&here.feature(key), Toast::say(format!("{key} is back, with everything it had."))))
        }
        "purge" => {
            blocking(move || admin::purge(&server, &actor, environment, number)).await?;
            Ok(done(&location, Toast::say("The flag is gone for good; its key is free.")))
        }
        other => Err(Error::NotFound(format!("the action {other}")).into()),
    }
}

/// Flagr's words for a missing flag are a 404 here too.
fn as_not_found(error: Error) -> Error {
    match error {
        Error::BadRequest(admin::MISSING, _) => Error::NotFound("the deleted flag".into()),
        other => other,
    }
}
