//! What is kept of a person, as one JSON file: readable by people and programs.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::View;
use crate::admin::contexts::person;
use crate::app::App;
use crate::clock::rfc3339;
use crate::error::{Error, Result};
use crate::store;
use crate::store::changes::AuditFilter;
use crate::store::gdpr::Request;

/// The file. `NotFound` when the person is gone.
pub fn collect(app: &App, request: &Request) -> Result<Vec<u8>> {
    let now = app.now();
    let known = app.read(|conn| store::users::by_uuid(conn, &request.user_uuid))?;
    let mut contexts = person::held(app, &known.username)?;
    contexts.extend(person::held(app, &known.email)?);
    let file = app.read_consistent(|conn| {
        let user = store::users::by_uuid(conn, &request.user_uuid)?;
        let all = AuditFilter { limit: u64::try_from(i64::MAX).unwrap_or(u64::MAX), ..AuditFilter::default() };
        let theirs = AuditFilter { actor_id: Some(user.uuid.clone()), ..all };
        let entries = store::changes::list(conn, &theirs)?;
        let numbers: HashSet<i64> = entries.iter().map(|entry| entry.number).collect();
        let about = AuditFilter { actor_id: None, about: Some(user.uuid.clone()), ..theirs };
        let about: Vec<Value> = store::changes::list(conn, &about)?
            .iter()
            .filter(|entry| !numbers.contains(&entry.number))
            .map(|entry| {
                json!({
                    "number": entry.number, "at": rfc3339(entry.at), "action": entry.action,
                    "summary": entry.summary, "differences": entry.differences,
                })
            })
            .collect();
        let entries: Vec<Value> = entries
            .iter()
            .map(|entry| {
                json!({
                    "number": entry.number, "at": rfc3339(entry.at), "address": entry.address, "entity": entry.entity,
                    "key": entry.entity_key, "action": entry.action, "summary": entry.summary,
                })
            })
            .collect();
        let devices: Vec<Value> = store::two_factor::devices(conn, user.id, now)?
            .iter()
            .map(|device| {
                json!({
                    "id": device.uuid, "userAgent": device.user_agent, "createdAt": rfc3339(device.created_at),
                    "lastUsedAt": rfc3339(device.last_used_at), "expiresAt": rfc3339(device.expires_at),
                })
            })
            .collect();
        let sessions: Vec<Value> = store::sessions::list(conn, user.id, now)?
            .iter()
            .map(|session| {
                json!({
                    "id": session.uuid, "address": session.address, "userAgent": session.user_agent,
                    "createdAt": rfc3339(session.created_at), "lastSeenAt": rfc3339(session.last_seen_at),
                })
            })
            .collect();
        let tokens: Vec<Value> = store::users::own_tokens(conn, user.id)?
            .iter()
            .map(|token| {
                json!({
                    "id": token.uuid, "description": token.description, "createdAt": rfc3339(token.created_at),
                    "expiresAt": token.expires_at.map(rfc3339), "lastUsedAt": token.last_used_at.map(rfc3339),
                })
            })
            .collect();
        let requests: Vec<View> =
            store::gdpr::list(conn, Some(&user.uuid))?.iter().map(View::from).collect();
        Ok(json!({
            "generatedAt": rfc3339(now),
            "request": {"id": request.uuid, "type": request.kind},
            "account": {
                "id": user.uuid, "username": user.username, "email": user.email, "role": user.role,
                "active": user.active, "createdAt": rfc3339(user.created_at),
                "lastLoginAt": user.last_login_at.map(rfc3339),
            },
            "sitesOwned": store::users::owned_sites(conn, user.id)?,
            "twoFactor": {
                "method": user.two_factor, "backupCodesLeft": store::two_factor::backup_codes_left(conn, user.id)?,
            },
            "trustedDevices": devices,
            "sessions": sessions,
            "personalAccessTokens": tokens,
            "storedContexts": contexts,
            "auditEntries": entries,
            "auditEntriesAboutThem": about,
            "gdprRequests": requests,
        }))
    })?;
    serde_json::to_vec_pretty(&file).map_err(Error::internal)
}
