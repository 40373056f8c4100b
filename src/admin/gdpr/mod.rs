//! GDPR requests: asked for, listed, handed out, deleted. [`crate::jobs::gdpr`] does what they ask.

mod erase;
mod export;

use rusqlite::Connection;
use serde::Serialize;
use utoipa::ToSchema;

use super::{mail, read_body};
use crate::app::{Actor, App, Change, Touched, Tx, Written};
use crate::clock::{Millis, rfc3339};
use crate::engine::feature::text;
use crate::engine::permission::Permission;
use crate::engine::value::Json;
use crate::error::{Error, Result};
use crate::store;
use crate::store::changes::ERASED;
use crate::store::gdpr::{self as rows, Kind, New, Request, Status};
use crate::store::users::User;

/// The domain of the addresses of people who were erased (RFC 2606): nobody else may have one.
pub const NOWHERE: &str = "erased.invalid";
/// The law gives a month.
const DUE: Millis = 30 * 24 * 3600 * 1000;
/// How long a file can be downloaded.
pub const EXPORT: Millis = 30 * 24 * 3600 * 1000;
/// Tries before a request counts as failed.
const TRIES: u32 = 5;

/// What somebody asked for under the GDPR.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = GdprRequest, example = json!({
    "id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0008", "type": "access", "userId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0009",
    "user": "ben", "notes": "", "status": "completed", "error": null, "requestedBy": "ana", "hasExport": true,
    "dueAt": "2026-03-02T12:00:00.000Z", "createdAt": "2026-01-31T12:00:00.000Z", "completedAt": "2026-01-31T12:00:01.000Z"
}))]
pub struct View {
    #[schema(format = Uuid)]
    pub id: String,
    #[serde(rename = "type")]
    #[schema(rename = "type")]
    pub kind: Kind,
    /// Whose data: the name, or what an erasure made of it.
    pub user: String,
    #[schema(format = Uuid)]
    pub user_id: String,
    pub notes: String,
    pub status: Status,
    /// Why it failed, or what an administrator should know.
    #[schema(required)]
    pub error: Option<String>,
    pub requested_by: String,
    /// Whether there is a file to download; it is deleted after 30 days.
    pub has_export: bool,
    /// By when it must be done: 30 days.
    #[schema(format = DateTime)]
    pub due_at: String,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(required, format = DateTime)]
    pub completed_at: Option<String>,
}

impl From<&Request> for View {
    fn from(request: &Request) -> Self {
        Self {
            id: request.uuid.clone(),
            kind: request.kind,
            user: request.user_name.clone(),
            user_id: request.user_uuid.clone(),
            notes: request.notes.clone(),
            status: request.status,
            error: request.error.clone(),
            requested_by: request.requested_by.clone(),
            has_export: request.has_export,
            due_at: rfc3339(request.due_at),
            created_at: rfc3339(request.created_at),
            completed_at: request.completed_at.map(rfc3339),
        }
    }
}

fn change(request: &Request, action: &'static str, after: Option<Json>) -> Change {
    let kind = request.kind.as_str();
    Change {
        site: None,
        environment: None,
        entity: ERASED.0,
        entity_id: request.uuid.clone(),
        entity_key: request.user_name.clone(),
        action,
        summary: format!("{kind} request of {} {action}", request.user_name),
        feature: None,
        touched: Touched::Nothing,
        before: None,
        after,
        event: None,
    }
}

/// A request to make.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewGdprRequest, example = json!({"type": "access", "user": "ben"}))]
pub struct NewRequest {
    #[schema(rename = "type")]
    pub kind: Kind,
    /// Id, name or e-mail address.
    pub user: String,
    #[schema(max_length = 4000)]
    pub notes: Option<String>,
}

/// Makes a request, which a job does at once. Body: [`NewRequest`].
pub fn create(app: &App, actor: &Actor, body: &str) -> Result<Request> {
    actor.require(Permission::Administer)?;
    let (kind, user, notes) = read_body(body, |object, problems| {
        let kind = object.require("type", problems).and_then(|node| {
            let kind = Kind::parse(&node.string(problems)?);
            if kind.is_none() {
                problems.add(&node.path, "must be access, portability or erasure");
            }
            kind
        });
        let user = object.require("user", problems).and_then(|node| node.string(problems));
        let notes = text(object, "notes", None, 4000, problems);
        Some((kind?, user?, notes?))
    })?;
    app.write(actor, |tx| {
        let user = person(tx, &user)?;
        if is_erased(tx, &user)? {
            return Err(Error::invalid("user", "was erased: nothing of them is kept"));
        }
        if kind == Kind::Erasure {
            if actor.user == Some(user.id) {
                return Err(Error::conflict(
                    "own_account",
                    "this is your own account; ask another administrator",
                ));
            }
            super::users::require_other_admin(tx, &user)?;
        }
        insert(tx, kind, &user, &notes)
    })
}

/// Who has this id, name or e-mail address.
pub fn person(conn: &Connection, called: &str) -> Result<User> {
    let user = match store::users::find(conn, called.trim()) {
        Err(Error::NotFound(_)) => store::users::find_for_sign_in(conn, called.trim())?.map(|(user, _)| user),
        found => Some(found?),
    };
    user.ok_or_else(|| Error::invalid("user", "is nobody's id, name or e-mail address"))
}

/// Whether somebody was erased: only that makes an account without a password, under an address made of its name.
fn is_erased(conn: &Connection, user: &User) -> Result<bool> {
    let nobody = user.email == format!("{}@{NOWHERE}", user.username);
    Ok(nobody && store::users::password(conn, user.id)?.is_empty())
}

/// Asks for one's own data. One request at a time.
pub fn request_own(app: &App, actor: &Actor, user: &str) -> Result<Request> {
    app.write(actor, |tx| {
        let user = store::users::by_uuid(tx, user)?;
        let waits = |request: &Request| request.status == Status::Pending && request.kind == Kind::Access;
        if rows::list(tx, Some(&user.uuid))?.iter().any(waits) {
            return Err(Error::conflict("already_asked", "your data is being collected"));
        }
        insert(tx, Kind::Access, &user, "Asked for on the profile page.")
    })
}

fn insert(tx: &Tx<'_>, kind: Kind, user: &User, notes: &str) -> Result<Written<Request>> {
    let new = New {
        kind,
        user_uuid: &user.uuid,
        user_name: &user.username,
        notes,
        requested_by: &tx.actor.name,
        due_at: tx.now + DUE,
    };
    let request = rows::insert(tx, &new, tx.now)?;
    let change = change(&request, "created", Json::of(&View::from(&request)));
    Ok(Written::one(request, change))
}

/// Deletes a request with its file. What was erased stays erased.
pub fn delete(app: &App, actor: &Actor, id: &str) -> Result<()> {
    actor.require(Permission::Administer)?;
    app.write(actor, |tx| {
        let request = rows::find(tx, id)?;
        rows::delete(tx, id)?;
        Ok(Written::one((), change(&request, "deleted", None)))
    })
}

fn purpose(request: &str) -> String {
    format!("gdpr:{request}")
}

/// The file of a request. `gone` when it was deleted, or sealed under a key that is lost.
pub fn download(app: &App, actor: &Actor, id: &str) -> Result<(Request, Vec<u8>)> {
    actor.require(Permission::Administer)?;
    app.write(actor, |tx| {
        let request = rows::find(tx, id)?;
        let kept = request.completed_at.is_some_and(|at| tx.now - at < EXPORT);
        let sealed = rows::export(tx, id)?
            .filter(|_| kept)
            .ok_or_else(|| Error::conflict("no_export", "there is no file, or not any more"))?;
        let file = app.seal.open_sealed(&purpose(id), &sealed).ok_or_else(|| {
            Error::conflict("no_export", "the server's key does not open the file; make a new request")
        })?;
        let change = change(&request, "downloaded", None);
        Ok(Written::one((request, file), change))
    })
}

/// Does what a request asks. A failure is noted, and after some tries is the end of it.
pub fn process(app: &App, request: &Request) -> Result<()> {
    let done = match request.kind {
        Kind::Access | Kind::Portability => collect(app, request),
        Kind::Erasure => erase::run(app, request),
    };
    let Err(error) = done else { return Ok(()) };
    let why = error.explain();
    tracing::warn!(request = %request.uuid, attempt = request.attempts, error = why, "a GDPR request failed");
    let final_one = request.attempts >= TRIES || !matches!(error, Error::Unavailable(_) | Error::Internal(_));
    let again = (!final_one).then(|| app.now() + (30_000 << request.attempts.min(8)));
    app.write(&system(), |tx| {
        rows::fail(tx, request.id, &why, again)?;
        Ok(match again {
            Some(_) => Written::nothing(()),
            None => Written::one((), change(request, "failed", None)),
        })
    })
}

fn system() -> Actor {
    Actor::system("gdpr")
}

/// Collects a person's data into a sealed file and tells them; not again where it is collected anew.
fn collect(app: &App, request: &Request) -> Result<()> {
    let erased = app.read(|conn| is_erased(conn, &store::users::by_uuid(conn, &request.user_uuid)?))?;
    if erased {
        return Err(Error::conflict("erased", "the person was erased: nothing of them is kept"));
    }
    let file = export::collect(app, request)?;
    let sealed = app.seal.seal(&purpose(&request.uuid), &file)?;
    app.write(&system(), |tx| {
        let user = store::users::by_uuid(tx, &request.user_uuid)?;
        rows::complete(tx, request.id, Some(&sealed), None, tx.now)?;
        let is_first = request.completed_at.is_none();
        if is_first {
            mail::data_ready(tx, &user.email, &user.username, tx.now)?;
        }
        let action = if is_first { "completed" } else { "collected again" };
        Ok(Written::one((), change(request, action, None)))
    })
}
