//! What mails say. A mail is a row, written with the change it tells of; [`crate::jobs::mail`] sends it.

use rusqlite::Connection;

use crate::app::{Actor, App, Change, Touched, Written};
use crate::clock::Millis;
use crate::engine::permission::Permission;
use crate::error::{Error, Result};
use crate::store;
use crate::store::sites::Site;
use crate::store::users::User;

/// How the outside reaches this server, without a slash at the end.
pub fn base(app: &App) -> String {
    match &app.config.base_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{}", app.config.listen),
    }
}

const NOT_YOU: &str =
    "If this was not you, you need do nothing; but tell an administrator if it happens again.\n";

/// To a new user. `link` sets their first password, where they have none yet.
pub fn welcome(
    app: &App,
    conn: &Connection,
    to: &str,
    name: &str,
    link: Option<&str>,
    now: Millis,
) -> Result<()> {
    let base = base(app);
    let way_in = match link {
        Some(link) => {
            format!("Choose a password here (the link works once, for three days):\n{base}/reset/{link}\n")
        }
        None => "Sign in with the password you were given, then change it on your profile.\n".to_owned(),
    };
    let body = format!("Hello {name},\n\nyou have an account at {base}.\n{way_in}");
    store::mails::insert(conn, to, "Your featured account", &body, now)
}

/// A code for the second step.
pub fn code(conn: &Connection, to: &str, code: &str, now: Millis) -> Result<()> {
    let body = format!(
        "Your code: {code}\n\nIt works once, for 10 minutes. Nobody will ever ask you for it.\n\n{NOT_YOU}"
    );
    store::mails::insert(conn, to, "Your sign-in code", &body, now)
}

/// A link that sets a new password.
pub fn reset(app: &App, conn: &Connection, to: &str, link: &str, now: Millis) -> Result<()> {
    let body = format!(
        "Choose a new password here (the link works once, for an hour):\n{}/reset/{link}\n\n{NOT_YOU}",
        base(app)
    );
    store::mails::insert(conn, to, "A new password", &body, now)
}

/// Asks somebody to set up a second factor.
pub fn reminder(app: &App, conn: &Connection, to: &str, name: &str, now: Millis) -> Result<()> {
    let body = format!(
        "Hello {name},\n\nplease set up two-factor sign-in for your account. It takes a minute:\n{}/account#tfa\n",
        base(app)
    );
    store::mails::insert(conn, to, "Please set up two-factor sign-in", &body, now)
}

/// To whom it was collected for.
pub fn data_ready(conn: &Connection, to: &str, name: &str, now: Millis) -> Result<()> {
    let body = format!(
        "Hello {name},\n\nyour data was collected, as was asked for. An administrator can hand you the file for 30 days; \
         then it is deleted.\n"
    );
    store::mails::insert(conn, to, "Your data is ready", &body, now)
}

/// To whoever a webhook belongs to that was turned off.
pub fn webhook_off(
    app: &App,
    conn: &Connection,
    to: &User,
    webhook: &str,
    site: &Site,
    now: Millis,
) -> Result<()> {
    let body = format!(
        "Hello {},\n\nthe webhook {webhook:?} of the site {} could deliver nothing for three days, so it is turned off.\n\
         Its log says what went wrong; turn it on again there, and it is told of what happens from then on:\n\
         {}/sites/{}/webhooks\n",
        to.username,
        site.name,
        base(app),
        site.slug
    );
    store::mails::insert(conn, &to.email, "A webhook was turned off", &body, now)
}

fn change(mail: &str, action: &'static str, summary: String) -> Change {
    Change {
        site: None,
        environment: None,
        entity: "mail",
        entity_id: mail.into(),
        entity_key: mail.into(),
        action,
        summary,
        feature: None,
        touched: Touched::Nothing,
        before: None,
        after: None,
        event: None,
    }
}

/// Tries a mail again that did not go out.
pub fn retry(app: &App, actor: &Actor, id: &str) -> Result<()> {
    actor.require(Permission::Administer)?;
    app.write(actor, |tx| match store::mails::retry(tx, id, tx.now)? {
        true => Ok(Written::one((), change(id, "retried", "a mail is tried again".into()))),
        false => Err(Error::NotFound("this mail, unsent,".into())),
    })
}

/// Deletes a mail.
pub fn delete(app: &App, actor: &Actor, id: &str) -> Result<()> {
    actor.require(Permission::Administer)?;
    app.write(actor, |tx| match store::mails::delete(tx, id)? {
        true => Ok(Written::one((), change(id, "deleted", "a mail was deleted".into()))),
        false => Err(Error::NotFound("this mail".into())),
    })
}
