-- featured: every table of a database made today. Times are milliseconds since 1970 UTC. Ids named
-- `uuid` are UUID v7 text and the only ones anybody outside sees. Lists and trees are JSON text, checked
-- by the program before they get here. Lifted from older versions by src/store/migrate.rs.

-- One application or service.
CREATE TABLE sites (
    id          INTEGER PRIMARY KEY,
    uuid        TEXT    NOT NULL UNIQUE,
    slug        TEXT    NOT NULL UNIQUE,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    owner_id    INTEGER REFERENCES users (id) ON DELETE SET NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

-- One deployment target of a site. `revision` grows by one with each change that evaluation can see.
CREATE TABLE environments (
    id                 INTEGER PRIMARY KEY,
    uuid               TEXT    NOT NULL UNIQUE,
    site_id            INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    name               TEXT    NOT NULL,
    description        TEXT    NOT NULL,
    tags               TEXT    NOT NULL, -- JSON list
    status             TEXT    NOT NULL CHECK (status IN ('active', 'archived', 'maintenance')),
    user_id_is_context INTEGER NOT NULL DEFAULT 1, -- whether userId names a stored Context
    revision           INTEGER NOT NULL DEFAULT 1,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    UNIQUE (site_id, name)
) STRICT;

-- `version` grows by one with each change to the feature, its rules or its variants. A NUMBER may take whole
-- numbers alone (`is_integer`). `properties` is a JSON object of texts. FeatureHub's programs are not told of a `retired`
-- one. Flagr's programs know it by `number`, and its
-- last change by `snapshot` (0: none); `flagr` is JSON: what else Flagr keeps beside it.
CREATE TABLE features (
    id             INTEGER PRIMARY KEY,
    uuid           TEXT    NOT NULL UNIQUE,
    environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    key            TEXT    NOT NULL,
    type           TEXT    NOT NULL CHECK (type IN ('STRING', 'NUMBER', 'BOOLEAN', 'JSON')),
    default_value  TEXT,             -- JSON; NULL: none
    enabled        INTEGER NOT NULL,
    locked         INTEGER NOT NULL DEFAULT 0,
    description    TEXT    NOT NULL,
    tags           TEXT    NOT NULL, -- JSON list
    bucketing      TEXT    NOT NULL CHECK (bucketing IN ('sha256', 'murmur3', 'crc32')),
    bucketing_id   TEXT,             -- what murmur3 (a UUID) and crc32 (a number) hash
    version        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    updated_by     TEXT    NOT NULL,
    is_integer     INTEGER NOT NULL DEFAULT 0,
    properties     TEXT    NOT NULL DEFAULT '{}',
    number         INTEGER NOT NULL DEFAULT 0,
    snapshot       INTEGER NOT NULL DEFAULT 0,
    flagr          TEXT,
    retired        INTEGER NOT NULL DEFAULT 0,
    UNIQUE (environment_id, key)
) STRICT;

-- Flagr's flag numbers are unique in an environment.
CREATE UNIQUE INDEX features_flag_number ON features (environment_id, bucketing_id)
 WHERE bucketing = 'crc32';

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
) STRICT, WITHOUT ROWID;

-- The rules of a feature, in list order; evaluation goes by falling priority.
CREATE TABLE rules (
    id         INTEGER PRIMARY KEY,
    uuid       TEXT    NOT NULL UNIQUE,
    feature_id INTEGER NOT NULL REFERENCES features (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    priority   INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 100),
    enabled    INTEGER NOT NULL,
    condition  TEXT,            -- JSON; NULL: always
    rollout    TEXT,            -- JSON; NULL: everybody
    outcome    TEXT    NOT NULL, -- JSON: a value or a split
    UNIQUE (feature_id, position)
) STRICT;

-- Named values of a feature.
CREATE TABLE variants (
    id         INTEGER PRIMARY KEY,
    feature_id INTEGER NOT NULL REFERENCES features (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    key        TEXT    NOT NULL,
    value      TEXT    NOT NULL, -- JSON
    attachment TEXT,             -- JSON
    UNIQUE (feature_id, key)
) STRICT;

-- The last version of a deleted feature: a feature made anew under its key goes on from there, since
-- clients ignore versions lower than the one they hold.
CREATE TABLE tombstones (
    environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    key            TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    PRIMARY KEY (environment_id, key)
) STRICT, WITHOUT ROWID;

-- Reusable conditions of a site.
CREATE TABLE segments (
    id         INTEGER PRIMARY KEY,
    uuid       TEXT    NOT NULL UNIQUE,
    site_id    INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    key        TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    conditions TEXT    NOT NULL, -- JSON
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (site_id, key)
) STRICT;

-- Stored Contexts. `override` is a row once it was written to; `default` never is: its values are the
-- features' own default values.
CREATE TABLE contexts (
    environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    key            TEXT    NOT NULL,
    description    TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    updated_by     TEXT    NOT NULL,
    PRIMARY KEY (environment_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE context_prototypes (
    environment_id INTEGER NOT NULL,
    context_key    TEXT    NOT NULL,
    position       INTEGER NOT NULL,
    prototype_key  TEXT    NOT NULL,
    PRIMARY KEY (environment_id, context_key, position),
    FOREIGN KEY (environment_id, context_key) REFERENCES contexts (environment_id, key) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Who inherits from me.
CREATE INDEX context_prototypes_children ON context_prototypes (environment_id, prototype_key);

CREATE TABLE context_values (
    environment_id INTEGER NOT NULL,
    context_key    TEXT    NOT NULL,
    feature_id     INTEGER NOT NULL REFERENCES features (id) ON DELETE CASCADE,
    value          TEXT    NOT NULL, -- JSON of the feature's type
    PRIMARY KEY (environment_id, context_key, feature_id),
    FOREIGN KEY (environment_id, context_key) REFERENCES contexts (environment_id, key) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX context_values_feature ON context_values (feature_id);

-- Environment tokens. Only SHA-256 of a token is kept, of each of its two spellings; after a rotation the
-- previous ones work until `previous_until`.
CREATE TABLE tokens (
    id                      INTEGER PRIMARY KEY,
    uuid                    TEXT    NOT NULL UNIQUE,
    environment_id          INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    description             TEXT    NOT NULL,
    kind                    TEXT    NOT NULL CHECK (kind IN ('client', 'server')),
    permissions             TEXT    NOT NULL, -- JSON list
    hash                    BLOB    NOT NULL UNIQUE,
    featurehub_hash         BLOB    NOT NULL UNIQUE,
    previous_hash           BLOB,
    previous_featurehub_hash BLOB,
    previous_until          INTEGER,
    expires_at              INTEGER,
    rate_limit              INTEGER,          -- a minute; NULL: the server's, 0: none
    created_at              INTEGER NOT NULL,
    created_by              TEXT    NOT NULL,
    last_used_at            INTEGER,
    uses                    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX tokens_environment ON tokens (environment_id);

-- People who administer.
CREATE TABLE users (
    id            INTEGER PRIMARY KEY,
    uuid          TEXT    NOT NULL UNIQUE,
    username      TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    email         TEXT    NOT NULL COLLATE NOCASE UNIQUE,
    role          TEXT    NOT NULL CHECK (role IN ('admin', 'editor', 'viewer')),
    password      TEXT    NOT NULL,           -- Argon2id, PHC string
    active        INTEGER NOT NULL DEFAULT 1,
    two_factor    TEXT    NOT NULL DEFAULT 'none' CHECK (two_factor IN ('none', 'totp', 'email')),
    totp_seed     BLOB,                       -- sealed
    created_at    INTEGER NOT NULL,
    last_login_at INTEGER
) STRICT;

-- Personal access tokens of users.
CREATE TABLE personal_tokens (
    id           INTEGER PRIMARY KEY,
    uuid         TEXT    NOT NULL UNIQUE,
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    description  TEXT    NOT NULL,
    hash         BLOB    NOT NULL UNIQUE,
    expires_at   INTEGER,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT;

-- One row per change: the audit trail, and the source of history and revert. `hash` chains the rows: it
-- covers `previous` and everything but the payload, of which it covers the digest, SHA-256(salt, payload).
-- Erasing a person rewrites rows but leaves their `hash`, and records in a later row what each hashes to now.
CREATE TABLE changes (
    number         INTEGER PRIMARY KEY,
    at             INTEGER NOT NULL,
    actor_kind     TEXT    NOT NULL CHECK (actor_kind IN ('user', 'token', 'system')),
    actor_id       TEXT,             -- UUID of the user or token
    actor          TEXT    NOT NULL, -- its name at the time
    address        TEXT,
    site           TEXT,             -- UUIDs
    environment    TEXT,
    entity         TEXT    NOT NULL, -- site, environment, feature, rule, segment, context, token, user, ...
    entity_id      TEXT    NOT NULL, -- UUID, or the key where there is none
    entity_key     TEXT    NOT NULL,
    action         TEXT    NOT NULL, -- created, updated, deleted, ...
    summary        TEXT    NOT NULL,
    feature        TEXT,             -- UUID of the feature this is a version of
    version        INTEGER,
    environment_id INTEGER,          -- row and revision of the environment whose answers changed
    revision       INTEGER,
    touched        TEXT,             -- JSON list of the feature keys that changed; NULL: everything
    payload        TEXT    NOT NULL, -- JSON {"before", "after"}
    salt           BLOB    NOT NULL,
    digest         BLOB    NOT NULL,
    previous       BLOB    NOT NULL,
    hash           BLOB    NOT NULL
) STRICT;

CREATE INDEX changes_feature ON changes (feature, version) WHERE feature IS NOT NULL;
CREATE INDEX changes_revision ON changes (environment_id, revision) WHERE revision IS NOT NULL;
CREATE INDEX changes_environment ON changes (environment, number);

-- The newest row of `changes`, kept apart so that a cut-off tail shows.
CREATE TABLE chain_head (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL,
    hash   BLOB    NOT NULL
) STRICT;

-- Events that webhooks are owed, written with the change they tell of.
CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY,
    uuid          TEXT    NOT NULL UNIQUE, -- X-Webhook-Id
    change_number INTEGER NOT NULL,
    event         TEXT    NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX outbox_created ON outbox (created_at);

-- Numbers that tell another process what it must read again.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Evaluations per day; empty text where there is no rule or variant.
CREATE TABLE evaluation_counts (
    environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    day            TEXT    NOT NULL, -- 2026-01-31, UTC
    feature        TEXT    NOT NULL,
    rule           TEXT    NOT NULL,
    variant        TEXT    NOT NULL,
    value          TEXT    NOT NULL, -- JSON, or sha256:... of a long one
    count          INTEGER NOT NULL,
    PRIMARY KEY (environment_id, day, feature, rule, variant, value)
) STRICT, WITHOUT ROWID;

CREATE INDEX evaluation_counts_day ON evaluation_counts (day);

-- Signed-in browsers. Only SHA-256 of the cookie is kept. `confirmed` once the second factor was given, or
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
) STRICT;

-- How the pages of a site look: what differs from how they look everywhere.
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
) STRICT;

-- Distinct users a day, as a sketch (src/live/counters/sketch.rs): those who were answered one feature, or with an
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
) STRICT;

-- Who is told of changes over HTTP. `position` is the number of the last change that the webhook is done with; what
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
CREATE INDEX gdpr_requests_user ON gdpr_requests (user_uuid);
