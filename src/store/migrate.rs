//! From an empty file, or an older database, to today's tables. `schema.sql` makes a new database; the list
//! below lifts an old one step by step, counted by `user_version`.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{OpenError, make_private, plain};

const SCHEMA: &str = include_str!("../../schema.sql");

/// Step `n` (from 0) lifts version `n + 1` to `n + 2`. Append only.
const STEPS: &[&str] = &[
    // 2: evaluations that clients report.
    "CREATE TABLE evaluation_counts (
        environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
        day            TEXT    NOT NULL, -- 2026-01-31, UTC
        feature        TEXT    NOT NULL,
        rule           TEXT    NOT NULL,
        variant        TEXT    NOT NULL,
        value          TEXT    NOT NULL, -- JSON, or sha256:... of a long one
        count          INTEGER NOT NULL,
        PRIMARY KEY (environment_id, day, feature, rule, variant, value)
    ) STRICT, WITHOUT ROWID;
    
    CREATE INDEX evaluation_counts_day ON evaluation_counts (day);",
    // 3: sign-in with a browser: sessions, second factors, mail, settings.
    "-- Signed-in browsers. Only SHA-256 of the cookie is kept. `confirmed` once the second factor was given, or
    -- none was needed.
    CREATE TABLE sessions (
        id           INTEGER PRIMARY KEY,
        uuid         TEXT    NOT NULL UNIQUE,
        user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        hash         BLOB    NOT NULL UNIQUE,
        confirmed    INTEGER NOT NULL,
        created_at   INTEGER NOT NULL,
        last_seen_at INTEGER NOT NULL,
        address      TEXT    NOT NULL,
        user_agent   TEXT    NOT NULL
    ) STRICT;
    
    CREATE INDEX sessions_user ON sessions (user_id);
    
    -- Browsers that skip the second factor for 30 days.
    CREATE TABLE trusted_devices (
        id           INTEGER PRIMARY KEY,
        uuid         TEXT    NOT NULL UNIQUE,
        user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        hash         BLOB    NOT NULL UNIQUE,
        created_at   INTEGER NOT NULL,
        last_used_at INTEGER NOT NULL,
        expires_at   INTEGER NOT NULL,
        user_agent   TEXT    NOT NULL
    ) STRICT;
    
    CREATE INDEX trusted_devices_user ON trusted_devices (user_id);
    
    -- Single-use codes for who lost the second factor; SHA-256 of each.
    CREATE TABLE backup_codes (
        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        hash    BLOB    NOT NULL,
        used_at INTEGER,
        PRIMARY KEY (user_id, hash)
    ) STRICT, WITHOUT ROWID;
    
    -- The code last mailed to a user, and how often a wrong one was tried.
    CREATE TABLE email_codes (
        user_id    INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
        hash       BLOB    NOT NULL,
        expires_at INTEGER NOT NULL,
        tries      INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    
    -- Failed sign-ins of late, per account and per address, so that guessing is slow and stays slow over a
    -- restart. `subject` is 'user:' with the name typed, or 'address:'.
    CREATE TABLE sign_in_failures (
        subject    TEXT    PRIMARY KEY,
        failures   INTEGER NOT NULL,
        blocked_to INTEGER NOT NULL,
        last_at    INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    
    -- Links that work once: making the first admin, setting a new password.
    CREATE TABLE links (
        hash       BLOB    PRIMARY KEY,
        purpose    TEXT    NOT NULL CHECK (purpose IN ('setup', 'reset')),
        user_id    INTEGER REFERENCES users (id) ON DELETE CASCADE,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    
    -- Mail to be sent, or kept for admins where no SMTP server is configured.
    CREATE TABLE mails (
        id         INTEGER PRIMARY KEY,
        uuid       TEXT    NOT NULL UNIQUE,
        recipient  TEXT    NOT NULL,
        subject    TEXT    NOT NULL,
        body       TEXT    NOT NULL,
        created_at INTEGER NOT NULL,
        due_at     INTEGER NOT NULL,
        attempts   INTEGER NOT NULL DEFAULT 0,
        sent_at    INTEGER,
        error      TEXT
    ) STRICT;
    
    CREATE INDEX mails_due ON mails (due_at) WHERE sent_at IS NULL;
    
    -- What admins set for the whole server, as JSON.
    CREATE TABLE settings (
        name  TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    
    -- How a user likes the pages.
    CREATE TABLE preferences (
        user_id     INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
        theme       TEXT    NOT NULL CHECK (theme IN ('system', 'light', 'dark')),
        dense       INTEGER NOT NULL,
        single_keys INTEGER NOT NULL
    ) STRICT;
    
    -- The last time step of an authenticator app that a user signed in with: a code works once.
    CREATE TABLE totp_steps (
        user_id INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
        step    INTEGER NOT NULL
    ) STRICT;",
    // 4: NUMBER features that take whole numbers alone.
    "ALTER TABLE features ADD COLUMN is_integer INTEGER NOT NULL DEFAULT 0;",
    // 5: properties of features.
    "ALTER TABLE features ADD COLUMN properties TEXT NOT NULL DEFAULT '{}';",
    // 6: branding: how the pages of a site look.
    "-- How the pages of a site look: what differs from how they look everywhere.
    CREATE TABLE branding (
        site_id    INTEGER PRIMARY KEY REFERENCES sites (id) ON DELETE CASCADE,
        settings   TEXT    NOT NULL, -- JSON
        updated_at INTEGER NOT NULL
    ) STRICT;
    
    -- The logo and the icon of a site. `version` is the beginning of the SHA-256 of `data`.
    CREATE TABLE branding_images (
        site_id      INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
        kind         TEXT    NOT NULL CHECK (kind IN ('logo', 'favicon')),
        version      TEXT    NOT NULL,
        content_type TEXT    NOT NULL,
        data         BLOB    NOT NULL,
        PRIMARY KEY (site_id, kind)
    ) STRICT;",
    // 7: analytics.
    "-- Distinct users a day, as a sketch (src/live/counters/sketch.rs): those who were answered one feature, or with an
    -- empty `feature` a whole environment, which concerns every feature made until `since`.
    CREATE TABLE audiences (
        environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
        day            TEXT    NOT NULL,
        feature        TEXT    NOT NULL,
        since          INTEGER NOT NULL,
        sketch         BLOB    NOT NULL,
        PRIMARY KEY (environment_id, day, feature, since)
    ) STRICT, WITHOUT ROWID;
    
    CREATE INDEX audiences_day ON audiences (day);
    
    -- Values of context fields a day, of the same audiences. `value` begins with '='; it is empty for all that are
    -- not counted by themselves.
    CREATE TABLE field_counts (
        environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
        day            TEXT    NOT NULL,
        feature        TEXT    NOT NULL,
        since          INTEGER NOT NULL,
        field          TEXT    NOT NULL,
        value          TEXT    NOT NULL,
        count          INTEGER NOT NULL,
        PRIMARY KEY (environment_id, day, feature, since, field, value)
    ) STRICT, WITHOUT ROWID;
    
    CREATE INDEX field_counts_day ON field_counts (day);
    
    -- Users (63 bits of a hash with the server's secret) who were given a variant by a split, and when first.
    CREATE TABLE exposures (
        environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
        feature        TEXT    NOT NULL,
        person         INTEGER NOT NULL,
        rule           TEXT    NOT NULL,
        variant        TEXT    NOT NULL,
        first_at       INTEGER NOT NULL,
        PRIMARY KEY (environment_id, feature, person, rule, variant)
    ) STRICT, WITHOUT ROWID;
    
    CREATE INDEX exposures_first ON exposures (first_at);
    
    -- Users (hashed the same way) who did what counts as a success, by day.
    CREATE TABLE conversions (
        environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
        event          TEXT    NOT NULL,
        person         INTEGER NOT NULL,
        day            TEXT    NOT NULL,
        count          INTEGER NOT NULL,
        last_at        INTEGER NOT NULL,
        total          REAL    NOT NULL,
        PRIMARY KEY (environment_id, event, person, day)
    ) STRICT, WITHOUT ROWID;
    
    CREATE INDEX conversions_day ON conversions (day);
    
    -- Where there are too many people to keep, those whose hash is not below a limit are left out.
    CREATE TABLE comparison_limits (
        environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
        kind           TEXT    NOT NULL CHECK (kind IN ('feature', 'event')),
        name           TEXT    NOT NULL,
        below          INTEGER NOT NULL,
        people         INTEGER NOT NULL,
        PRIMARY KEY (environment_id, kind, name)
    ) STRICT, WITHOUT ROWID;
    
    -- When a feature was first and last evaluated, and since when always to one value (NULL: to several of late). An
    -- empty `feature` stands for rule sets handed to clients who evaluate by themselves.
    CREATE TABLE feature_uses (
        environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
        feature        TEXT    NOT NULL,
        first_at       INTEGER NOT NULL,
        last_at        INTEGER NOT NULL,
        value          TEXT,
        same_since     INTEGER NOT NULL,
        PRIMARY KEY (environment_id, feature)
    ) STRICT, WITHOUT ROWID;
    
    -- What a site decides about counting, once it did.
    CREATE TABLE analytics_settings (
        site_id        INTEGER PRIMARY KEY REFERENCES sites (id) ON DELETE CASCADE,
        excluded       TEXT    NOT NULL, -- JSON list of context fields
        unchanged_days INTEGER NOT NULL,
        unasked_days   INTEGER NOT NULL
    ) STRICT;",
    // 8: the numbers of Flagr's programs.
    "ALTER TABLE features ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE features ADD COLUMN snapshot INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE features ADD COLUMN flagr TEXT;
    UPDATE features SET number = CAST(bucketing_id AS INTEGER) WHERE bucketing = 'crc32';
    UPDATE features SET number = 1000000000 + at
      FROM (SELECT id AS one, row_number() OVER (PARTITION BY environment_id ORDER BY id) AS at FROM features
             WHERE bucketing <> 'crc32')
     WHERE features.id = one;
    INSERT INTO counters (name, value)
    SELECT 'flagr_elsewhere:' || environment_id, max(number) FROM features
     WHERE bucketing <> 'crc32' GROUP BY environment_id;
    -- Every feature has a number of its own in its environment.
    CREATE UNIQUE INDEX features_number ON features (environment_id, number);
    
    -- The numbers that Flagr's programs know variants, segments (rules), constraints and distributions (arms of
    -- splits) by. They stand in features.flagr; here they are kept apart from each other.
    CREATE TABLE flagr_numbers (
        environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
        kind           TEXT    NOT NULL CHECK (kind IN ('variant', 'segment', 'constraint', 'distribution')),
        number         INTEGER NOT NULL,
        feature_id     INTEGER NOT NULL REFERENCES features (id) ON DELETE CASCADE,
        PRIMARY KEY (environment_id, kind, number)
    ) STRICT, WITHOUT ROWID;
    
    CREATE INDEX flagr_numbers_feature ON flagr_numbers (feature_id);
    
    CREATE TABLE flagr_tags (
        environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
        number         INTEGER NOT NULL,
        value          TEXT    NOT NULL,
        PRIMARY KEY (environment_id, number),
        UNIQUE (environment_id, value)
    ) STRICT, WITHOUT ROWID;
    
    -- Which version of which feature (UUID) a snapshot is of; what it holds stands in changes.
    CREATE TABLE flagr_snapshots (
        environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
        number         INTEGER NOT NULL,
        feature        TEXT    NOT NULL,
        version        INTEGER NOT NULL,
        PRIMARY KEY (environment_id, number)
    ) STRICT, WITHOUT ROWID;
    
    CREATE INDEX flagr_snapshots_feature ON flagr_snapshots (feature, version);
    
    CREATE TABLE flagr_entity_types (
        environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
        value          TEXT    NOT NULL,
        PRIMARY KEY (environment_id, value)
    ) STRICT, WITHOUT ROWID;
    
    -- Flags deleted through Flagr's API, to be restored; they keep their key and number until they are purged.
    CREATE TABLE flagr_deleted (
        environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
        number         INTEGER NOT NULL,
        key            TEXT    NOT NULL,
        deleted_at     INTEGER NOT NULL,
        deleted_by     TEXT    NOT NULL,
        feature        TEXT    NOT NULL, -- its UUID
        json           TEXT    NOT NULL,
        PRIMARY KEY (environment_id, number),
        UNIQUE (environment_id, key)
    ) STRICT, WITHOUT ROWID;",
    // 9: webhooks with their log, and GDPR requests.
    "-- Who is told of changes over HTTP. `position` is the number of the last change that the webhook is done with; what
    -- it is owed are the events of its site behind that.
    CREATE TABLE webhooks (
        id              INTEGER PRIMARY KEY,
        uuid            TEXT    NOT NULL UNIQUE,
        site_id         INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
        environment_id  INTEGER REFERENCES environments (id) ON DELETE CASCADE, -- NULL: all of the site
        name            TEXT    NOT NULL,
        description     TEXT    NOT NULL,
        url             TEXT    NOT NULL,
        events          TEXT    NOT NULL, -- JSON list
        format          TEXT    NOT NULL CHECK (format IN ('json', 'slack', 'teams', 'discord')),
        enabled         INTEGER NOT NULL,
        disabled_reason TEXT,             -- why the server turned it off
        secret          BLOB    NOT NULL, -- sealed
        previous_secret BLOB,             -- sealed; signs too until previous_until
        previous_until  INTEGER,
        owner_id        INTEGER REFERENCES users (id) ON DELETE SET NULL, -- who is told when it fails for days
        created_at      INTEGER NOT NULL,
        updated_at      INTEGER NOT NULL,
        position        INTEGER NOT NULL,
        attempts        INTEGER NOT NULL DEFAULT 0, -- tries of the event that is being delivered
        due_at          INTEGER NOT NULL DEFAULT 0, -- when to try next
        leased_until    INTEGER NOT NULL DEFAULT 0, -- until then it is one thread's
        failing_since   INTEGER
    ) STRICT;

    CREATE INDEX webhooks_site ON webhooks (site_id);

    -- The log of webhooks: one row per try.
    CREATE TABLE deliveries (
        id               INTEGER PRIMARY KEY,
        uuid             TEXT    NOT NULL UNIQUE,
        webhook_id       INTEGER NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
        event_id         TEXT    NOT NULL, -- X-Webhook-Id
        event            TEXT    NOT NULL,
        change_number    INTEGER,          -- NULL: a test
        attempt          INTEGER NOT NULL,
        outcome          TEXT    NOT NULL CHECK (outcome IN ('delivered', 'failed', 'given_up')),
        at               INTEGER NOT NULL,
        status           INTEGER,          -- NULL: no answer
        error            TEXT,
        duration_ms      INTEGER NOT NULL,
        request_headers  TEXT    NOT NULL, -- JSON object
        request_body     TEXT    NOT NULL,
        response_headers TEXT    NOT NULL, -- JSON object
        response_body    TEXT    NOT NULL
    ) STRICT;

    CREATE INDEX deliveries_webhook ON deliveries (webhook_id, id);
    CREATE INDEX deliveries_at ON deliveries (at);
    CREATE INDEX outbox_change ON outbox (change_number);

    -- What people ask under the GDPR: their data, or to be forgotten. Done by a job.
    CREATE TABLE gdpr_requests (
        id           INTEGER PRIMARY KEY,
        uuid         TEXT    NOT NULL UNIQUE,
        type         TEXT    NOT NULL CHECK (type IN ('access', 'portability', 'erasure')),
        user_uuid    TEXT    NOT NULL,
        user_name    TEXT    NOT NULL, -- made unrecognisable by an erasure
        notes        TEXT    NOT NULL,
        status       TEXT    NOT NULL CHECK (status IN ('pending', 'completed', 'failed')),
        error        TEXT,
        requested_by TEXT    NOT NULL,
        created_at   INTEGER NOT NULL,
        due_at       INTEGER NOT NULL, -- by law
        completed_at INTEGER,
        attempts     INTEGER NOT NULL DEFAULT 0,
        run_at       INTEGER NOT NULL, -- when the job takes it
        export       BLOB              -- sealed; NULL once it is deleted
    ) STRICT;

    CREATE INDEX gdpr_requests_run ON gdpr_requests (run_at) WHERE status = 'pending';
    CREATE INDEX gdpr_requests_user ON gdpr_requests (user_uuid);",
    // 10: features that FeatureHub's programs are not told of.
    "ALTER TABLE features ADD COLUMN retired INTEGER NOT NULL DEFAULT 0;",
];

/// The version that this program writes.
pub const VERSION: i64 = STEPS.len() as i64 + 1;

/// Marks the file as ours: "feat" in ASCII.
pub(super) const APPLICATION_ID: i64 = 0x6665_6174;

/// Creates or lifts the tables. Lifting writes a copy of the file beside it first. Of several programs that
/// start at once one does the work, and the others find it done.
pub fn bring_up_to_date(conn: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let file = path.display().to_string();
    let explain = |error: rusqlite::Error| OpenError(format!("{file}: {}", plain(&error)));
    // Looked at in one transaction, so that what is there is not half of somebody else's work.
    let tx = conn.transaction().map_err(explain)?;
    let state = State::read(&tx).map_err(explain)?;
    drop(tx);
    state.check(&file)?;
    if state.version == VERSION {
        return Ok(());
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(explain)?;
    let state = State::read(&tx).map_err(explain)?;
    state.check(&file)?;
    let steps: &[&str] = match usize::try_from(state.version) {
        Ok(0) | Err(_) => &[SCHEMA],
        Ok(from) => STEPS.get(from - 1..).unwrap_or_default(),
    };
    if !state.empty && !steps.is_empty() {
        copy(path, state.version)?;
    }
    for step in steps {
        tx.execute_batch(step).map_err(explain)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(explain)?;
    tx.pragma_update(None, "user_version", VERSION).map_err(explain)?;
    tx.commit().map_err(explain)
}

/// What kind of file it is.
struct State {
    version: i64,
    ours: bool,
    empty: bool,
}

impl State {
    fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
        Ok(Self {
            version: number("PRAGMA user_version")?,
            ours: number("PRAGMA application_id")? == APPLICATION_ID,
            empty: number("SELECT count(*) FROM sqlite_schema")? == 0,
        })
    }

    /// Refuses what this program must not touch.
    fn check(&self, file: &str) -> Result<(), OpenError> {
        let fresh = self.empty && self.version == 0;
        if !(self.ours || fresh) {
            return Err(OpenError(format!("{file} is a database of another program")));
        }
        if self.version > VERSION {
            return Err(OpenError(format!(
                "{file} was written by a newer featured (its version {}, known here up to {VERSION}); \
                 use that one, or restore a backup",
                self.version
            )));
        }
        Ok(())
    }
}

/// Copies a database that the caller has locked against writing. Through a second connection, since nothing
/// can be copied from inside a transaction.
fn copy(path: &Path, version: i64) -> Result<(), OpenError> {
    let copy = copy_name(path, version);
    let failed =
        |why: String| OpenError(format!("{}: the copy before the upgrade failed: {why}", copy.display()));
    // It gets its name once it is whole; what a crash left of an earlier one is in the way.
    let part = PathBuf::from(format!("{}.part", copy.display()));
    let _ = std::fs::remove_file(&part);
    make_private(&part).map_err(|error| failed(error.to_string()))?;
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|reader| reader.execute("VACUUM INTO ?1", [part.to_string_lossy()]))
        .map_err(|error| failed(plain(&error)))?;
    let finished = std::fs::File::open(&part)
        .and_then(|file| file.sync_all())
        .and_then(|()| std::fs::rename(&part, &copy));
    finished.map_err(|error| failed(error.to_string()))
}

/// `flags.db.v1.bak`, or with a number behind where that is taken.
fn copy_name(path: &Path, version: i64) -> PathBuf {
    let base = format!("{}.v{version}.bak", path.display());
    let mut copy = PathBuf::from(&base);
    let mut number = 2;
    while copy.exists() {
        copy = PathBuf::from(format!("{base}{number}"));
        number += 1;
    }
    copy
}
