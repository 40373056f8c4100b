//! `…/contexts…`: stored Contexts, written and looked up (featuresd.md §6.2). People and tokens share the routes: a
//! `client` token only looks up, a `server` token also reads, and one with `CONTEXTS_WRITE` changes ordinary Contexts.

pub mod documents;
pub mod list;
pub mod lookup;
pub mod stored;
pub mod wire;

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::Data;

use super::admin::block;
use super::client::require_path;
use crate::admin::contexts::Target;
use crate::admin::scope;
use crate::api::request::{if_match, segment};
use crate::app::{Actor, App};
use crate::auth::extract::Credential;
use crate::engine::permission::Permission;
use crate::engine::snapshot::{Snapshot, Status};
use crate::error::{Error, Result};
use crate::store::tokens::Kind;

/// What a token needs to change Contexts.
pub const WRITE: &str = "CONTEXTS_WRITE";

/// Who looks up, and where.
pub struct Asker {
    pub snapshot: Arc<Snapshot>,
    /// A publishable token: it is shown values and nothing about where they come from.
    pub is_public: bool,
}

/// The newest snapshot of the path's environment while it serves, for anybody who may look up there.
pub async fn asker(app: &Data<App>, who: &Credential, req: &HttpRequest) -> Result<Asker> {
    match who {
        Credential::Client(key) => {
            require_path(req, key)?;
            Ok(Asker { snapshot: key.snapshot()?, is_public: key.token.kind == Kind::Client })
        }
        Credential::Caller(caller) => {
            caller.0.require(Permission::Read)?;
            let snapshot = snapshot(app, req).await?;
            match snapshot.info.status {
                Status::Active => Ok(Asker { snapshot, is_public: false }),
                Status::Maintenance => Err(Error::Maintenance),
                Status::Archived => Err(Error::Archived),
            }
        }
    }
}

/// The newest snapshot of the path's environment, whatever its status.
pub async fn snapshot(app: &Data<App>, req: &HttpRequest) -> Result<Arc<Snapshot>> {
    let (site, environment) = (segment(req, "site")?, segment(req, "environment")?);
    let reader = app.clone();
    let id = block(move || reader.read(|conn| Ok(scope(conn, &site, &environment)?.1.id))).await?;
    let live = app.live.environment(id);
    Ok(live.ok_or_else(|| Error::NotFound("the environment".into()))?.snapshot())
}

/// `Forbidden` unless this one may read what is stored.
pub fn require_reader(who: &Credential, req: &HttpRequest) -> Result<()> {
    match who {
        Credential::Client(key) => {
            require_path(req, key)?;
            key.require_server()
        }
        Credential::Caller(caller) => caller.0.require(Permission::Read),
    }
}

/// Whoever changes Contexts here. What a person may is for [`crate::admin::contexts`] to say.
pub fn writer(who: Credential, req: &HttpRequest) -> Result<Actor> {
    match who {
        Credential::Client(key) => {
            require_path(req, &key)?;
            key.actor(WRITE, req)
        }
        Credential::Caller(caller) => Ok(caller.0),
    }
}

/// The Context that a path names, and the version that `If-Match` does.
pub fn target(req: &HttpRequest) -> Result<Target> {
    Ok(Target {
        site: segment(req, "site")?,
        environment: segment(req, "environment")?,
        key: segment(req, "context")?,
        expected: if_match(req)?,
    })
}
