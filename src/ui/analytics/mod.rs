//! `…/analytics`: how often, for how many people, by which rule, with what success.

mod comparison;
mod view;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::components::form::Typed;
use super::components::stale::{self as versions, Fields};
use super::edit::{Edit, blocking};
use super::failure::Failure;
use super::features::{Here, problems};
use super::layout::{Page, Toast, done};
use crate::admin::analytics::comparison::{View as Comparison, compare};
use crate::admin::analytics::stale::{self, View as Stale};
use crate::admin::analytics::{self as admin, Day, FieldFigures, Question, RuleFigures, Summary};
use crate::api::request::Query;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::blocking::{LONG_READS, block_in_turn};
use crate::clock::{self, DAY, Millis};
use crate::engine::permission::Permission;
use crate::error::Result as AppResult;
use crate::store;
use crate::store::analytics::Settings;
use crate::store::analytics::read::{self, Days};

/// The ranges to choose from, in days.
const RANGES: [i64; 3] = [7, 30, 90];

const SETTINGS: Fields = &[
    ("excludedFields", "Never counted"),
    ("staleUnchangedDays", "Days the same"),
    ("staleUnaskedDays", "Days not asked for"),
];

/// What was asked for, as the address carries it.
struct Asked {
    range: i64,
    feature: Option<String>,
    event: Option<String>,
    control: Option<String>,
    days: Days,
}

impl Asked {
    fn of(req: &HttpRequest, here: &Here, now: Millis) -> AppResult<Self> {
        let query = Query::of(req);
        let get = |name: &str| query.get(name).map(str::to_owned);
        let range = query.get("range").and_then(|text| text.parse().ok());
        let range = range.filter(|range| RANGES.contains(range)).unwrap_or(RANGES[1]);
        let from = clock::day(now - (range - 1) * DAY);
        Ok(Self {
            range,
            // One that is gone by now is as good as none.
            feature: get("feature").filter(|key| here.snapshot.feature(key).is_some()),
            event: get("event"),
            control: get("control"),
            days: admin::read_days(Some(&from), None, now)?,
        })
    }

    /// The days before, as many.
    fn before(&self, now: Millis) -> AppResult<Days> {
        let (from, to) = (now - (2 * self.range - 1) * DAY, now - self.range * DAY);
        admin::read_days(Some(&clock::day(from)), Some(&clock::day(to)), now)
    }
}

/// What the page shows.
struct Figures {
    summary: Summary,
    before: Summary,
    days: Vec<Day>,
    rules: Vec<RuleFigures>,
    fields: Vec<FieldFigures>,
    comparison: Option<Comparison>,
    stale: Vec<Stale>,
    settings: Settings,
    /// Whether anything was ever counted in the environment.
    ever: bool,
}

async fn figures(app: &Data<App>, here: &Here, asked: &Asked) -> AppResult<Figures> {
    let (site, environment) = (here.place.site.id, here.place.environment()?.id);
    let feature = asked.feature.clone();
    let (event, control) = (asked.event.clone(), asked.control.clone());
    let (days, before) = (asked.days.clone(), asked.before(app.now())?);
    let app = app.clone();
    block_in_turn(&LONG_READS, move || {
        app.read_consistent(|conn| {
            let of = |days| Question::new(&app, environment, feature.as_deref(), days);
            let question = of(days)?;
            let (summary, days) = admin::summary(conn, &question)?;
            let comparison = match &feature {
                Some(_) => {
                    // An address may name an event that nobody reported, or a control that nobody was given.
                    let event = event
                        .filter(|event| read::events(conn, environment).is_ok_and(|all| all.contains(event)));
                    let found = compare(conn, &question, event.as_deref(), control.as_deref());
                    Some(found.or_else(|_| compare(conn, &question, event.as_deref(), None))?)
                }
                None => None,
            };
            Ok(Figures {
                summary,
                days,
                before: admin::summary(conn, &of(before)?)?.0,
                rules: admin::rules(conn, &question)?,
                fields: admin::contexts(conn, &question)?,
                comparison: comparison.filter(|it| !it.variants.is_empty()),
                stale: if feature.is_none() {
                    stale::list(&app, conn, site, environment)?
                } else {
                    Vec::new()
                },
                settings: store::analytics::settings(conn, site)?,
                ever: store::analytics::read::any(conn, environment)?,
            })
        })
    })
    .await
}

async fn draw(
    app: &Data<App>,
    req: &HttpRequest,
    signed: &Signed,
    here: &Here,
    typed: Option<Typed>,
    conflict: bool,
) -> Result<HttpResponse, Failure> {
    let asked = Asked::of(req, here, app.now())?;
    let figures = figures(app, here, &asked).await?;
    let page = Page::new(app, req, signed, "Analytics").at(&here.place, "analytics");
    let refused = typed.is_some();
    let main = view::page(&page, app, here, &asked, &figures, typed.as_ref(), conflict);
    Ok(if refused { page.refuse(main) } else { page.show(main) })
}

fn stored(settings: &Settings) -> Typed {
    Typed::with(&[
        ("excludedFields", &settings.excluded.join("\n")),
        ("staleUnchangedDays", &settings.unchanged_days.to_string()),
        ("staleUnaskedDays", &settings.unasked_days.to_string()),
    ])
}

/// `GET …/analytics`.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &signed)?;
    draw(&app, &req, &signed, &here, None, false).await
}

/// `POST …/analytics/settings`: what the site counts, and what it calls stale.
pub async fn settings(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let actor = edit.signed.actor();
    actor.require(Permission::Change)?;
    let id = here.place.site.id;
    let before = app.read(|conn| store::analytics::settings(conn, id))?;
    if versions::is_stale(&edit.form, &stored(&before), SETTINGS) {
        return draw(&app, &req, &edit.signed, &here, Some(edit.form), true).await;
    }
    let fields: Vec<&str> =
        edit.form.get("excludedFields").lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let number = |name: &str| {
        let text = edit.form.get(name).trim();
        text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number))
    };
    let body = json!({
        "excludedFields": fields,
        "staleUnchangedDays": number("staleUnchangedDays"),
        "staleUnaskedDays": number("staleUnaskedDays"),
    })
    .to_string();
    let (server, site) = (app.clone(), here.place.site.uuid.clone());
    match blocking(move || admin::settings::update(&server, &actor, &site, &body)).await {
        Ok(after) => {
            let page = here.section("analytics");
            let mut toast = Toast::say("The analytics settings are saved.");
            // What was counted of a field that is excluded now is gone for good.
            if after.excluded.iter().all(|field| before.excluded.contains(field)) {
                let action = format!("{page}/settings");
                toast = versions::undo(toast, &action, &stored(&before), &stored(&after), SETTINGS);
            }
            Ok(done(&page, toast))
        }
        Err(error) => {
            let typed = edit.form.clone().wrong(&problems(error)?);
            draw(&app, &req, &edit.signed, &here, Some(typed), false).await
        }
    }
}
