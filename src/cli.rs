//! The command line of native-api: arguments, the configuration file, and the subcommands.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::admin::documents::{self, Mode, Plan};
use crate::admin::{tokens, users};
use crate::app::{Actor, App};
use crate::config::{Config, Durability, FirstAdmin, LogFormat, Origins, SecretKey};
use crate::engine::context::Context;
use crate::engine::document::Document;
use crate::engine::evaluate::Evaluator;
use crate::engine::explain::explain;
use crate::engine::permission::Role;
use crate::engine::snapshot::{Info, Snapshot};
use crate::error::Error;
use crate::server::{self, Failure};
use crate::store::{self, Store};
use crate::{clock, yaml};

#[derive(Parser)]
#[command(
    name = "featured",
    version,
    about = "A feature-flag and remote-configuration server in one file",
    args_conflicts_with_subcommands = false,
    disable_help_subcommand = true
)]
struct Cli {
    /// The database file; it is made where there is none
    #[arg(long, global = true, env = "FEATURED_DB", value_name = "FILE")]
    db: Option<PathBuf>,
    /// A TOML file with any of the options of `serve`, named as here
    #[arg(long, global = true, env = "FEATURED_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON for programs
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The options of `serve`: flag beats variable beats file beats default.
#[derive(Args, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct ServeArgs {
    #[arg(skip)]
    db: Option<PathBuf>,
    /// Address and port; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "FEATURED_LISTEN", value_name = "ADDRESS")]
    listen: Option<String>,
    /// How the outside reaches this server, such as https://flags.example
    #[arg(long, env = "FEATURED_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    /// For development: log every request
    #[arg(long, env = "FEATURED_DEV", num_args = 0..=1, default_missing_value = "true")]
    dev: Option<bool>,
    /// Fill an empty database with something to look at
    #[arg(long, env = "FEATURED_DEMO", num_args = 0..=1, default_missing_value = "true")]
    demo: Option<bool>,
    /// When a write counts as done: on disk (full), or soon on disk (normal) [default: full]
    #[arg(long, env = "FEATURED_DURABILITY", value_enum)]
    durability: Option<Durability>,
    /// How log lines look, on stderr [default: text]
    #[arg(long, env = "FEATURED_LOG_FORMAT", value_enum)]
    log_format: Option<LogFormat>,
    /// Seconds that answers are kept in memory; 0 turns that off [default: 300]
    #[arg(long, env = "FEATURED_CACHE_TTL", value_name = "SECONDS")]
    cache_ttl: Option<u64>,
    /// Requests a minute per environment token; 0 is no limit [default: 100]
    #[arg(long, env = "FEATURED_RATE_LIMIT", value_name = "N")]
    rate_limit: Option<u32>,
    /// Environments a site may have (also from MAX_ENVIRONMENTS) [default: 10]
    #[arg(long, env = "FEATURED_MAX_ENVIRONMENTS", value_name = "N")]
    max_environments: Option<usize>,
    /// Origins of web pages that may call the client API [default: *]
    #[arg(long, env = "FEATURED_ALLOWED_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    allowed_origin: Option<Vec<String>>,
    /// Networks of proxies whose X-Forwarded-For is believed
    #[arg(long, env = "FEATURED_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    trusted_proxy: Option<Vec<String>>,
    /// A file with the key that seals secrets in the database [default: a file beside it, made when needed]
    #[arg(long, env = "FEATURED_SECRET_KEY_FILE", value_name = "FILE")]
    secret_key_file: Option<PathBuf>,
    /// Where mail goes out: smtps://user:password@host, or smtp://… (STARTTLS; ?tls=none for none). Without it,
    /// mail is kept under Outbox
    #[arg(long, env = "FEATURED_SMTP_URL", value_name = "URL", hide_env_values = true)]
    smtp_url: Option<String>,
    /// Whom mail comes from [default: featured@ the host of the base URL]
    #[arg(long, env = "FEATURED_MAIL_FROM", value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// Days that counts and events are kept [default: 90]
    #[arg(long, env = "FEATURED_RETENTION_DAYS", value_name = "N")]
    retention_days: Option<u64>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve (what happens without a subcommand)
    Serve(Box<ServeArgs>),
    /// Make and repair users
    #[command(subcommand)]
    User(UserCommand),
    /// Make environment tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Apply a site document (JSON or YAML; - is stdin)
    Import {
        file: PathBuf,
        /// Only print what would happen
        #[arg(long)]
        dry_run: bool,
        /// replace also deletes what the document lacks
        #[arg(long, value_enum, default_value = "merge")]
        mode: Mode,
    },
    /// Print a site as a document
    Export {
        #[arg(long)]
        site: String,
        #[arg(long, value_enum, default_value = "yaml")]
        format: Format,
    },
    /// Evaluate offline, from the database or a document
    Evaluate {
        /// A document in place of --db
        #[arg(long)]
        file: Option<PathBuf>,
        /// Id or slug; may be left out with --file
        #[arg(long)]
        site: Option<String>,
        /// Id or name
        #[arg(long)]
        env: String,
        /// The context, a JSON object
        #[arg(long, default_value = "{}")]
        context: String,
        /// One feature instead of all
        #[arg(long)]
        feature: Option<String>,
        /// Say why
        #[arg(long)]
        explain: bool,
    },
    /// Check the file and what is in it
    Check,
    /// Print the description of the API (OpenAPI 3.1)
    Openapi,
    /// Exit 0 when a server is ready
    Healthcheck {
        #[arg(default_value = "http://127.0.0.1:8080")]
        url: String,
    },
}

#[derive(Subcommand)]
enum UserCommand {
    /// Make a user; the password is read from stdin
    Add {
        name: String,
        #[arg(long)]
        email: String,
        #[arg(long, value_enum)]
        role: RoleArg,
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Make a personal access token; it is the last word on stdout
    Pat {
        name: String,
        #[arg(long)]
        description: String,
    },
    /// Set a password, read from stdin
    Passwd {
        name: String,
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Take the second factor of a user away
    #[command(name = "reset-2fa")]
    ResetTwoFactor { name: String },
    /// List the users
    List,
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Make an environment token; it is shown once
    Add {
        #[arg(long)]
        site: String,
        #[arg(long)]
        env: String,
        #[arg(long, value_enum)]
        kind: KindArg,
        #[arg(long, value_delimiter = ',')]
        permissions: Option<Vec<String>>,
        /// Requests a minute; 0 is no limit
        #[arg(long)]
        rate_limit: Option<u32>,
        #[arg(long)]
        description: String,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum RoleArg {
    Admin,
    Editor,
    Viewer,
}

#[derive(Clone, Copy, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum KindArg {
    Client,
    Server,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Yaml,
    Json,
}

/// Runs the command line of this process. 0 on success, 2 on wrong usage, 1 otherwise.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("featured: {message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    let Cli { db, config, json, serve, command } = cli;
    let file = match &config {
        Some(path) => read_config_file(path)?,
        None => ServeArgs::default(),
    };
    let db = db.or_else(|| file.db.clone());
    let need_db = || db.clone().ok_or_else(|| "say which database: --db FILE (or FEATURED_DB)".to_owned());
    let out = Output { json };
    match command {
        None => run_server(serve, file, need_db()?),
        Some(Command::Serve(args)) => run_server(args.or(serve), file, need_db()?),
        Some(Command::User(command)) => user(command, &need_db()?, &out),
        Some(Command::Token(command)) => token(command, &need_db()?, &out),
        Some(Command::Import { file, dry_run, mode }) => import(&need_db()?, &file, dry_run, mode, &out),
        Some(Command::Export { site, format }) => {
            let app = open_existing(&need_db()?)?;
            let document =
                documents::export(&app, &actor(), &site).map_err(|error| server::explain(&error))?;
            let json = to_json(&document)?;
            out.text(&if format == Format::Json && !out.json {
                pretty(&json)?
            } else if format == Format::Json || out.json {
                json + "\n"
            } else {
                yaml::from_json(&json).map_err(|error| error.to_string())?
            })
        }
        Some(Command::Evaluate { file: document, site, env, context, feature, explain }) => {
            let snapshot = match document {
                Some(path) => document_snapshot(&path, site.as_deref(), &env)?,
                None => stored_snapshot(&need_db()?, site.as_deref(), &env)?,
            };
            evaluate(&snapshot, &context, feature.as_deref(), explain, &out)
        }
        Some(Command::Check) => check(&need_db()?, &out),
        Some(Command::Openapi) => out.text(&pretty(&crate::api::rest::openapi::json(None)?)?),
        Some(Command::Healthcheck { url }) => healthcheck(&url),
    }
}

impl ServeArgs {
    /// These, and where one is not given, the other's.
    fn or(self, other: Self) -> Self {
        Self {
            db: self.db.or(other.db),
            listen: self.listen.or(other.listen),
            base_url: self.base_url.or(other.base_url),
            dev: self.dev.or(other.dev),
            demo: self.demo.or(other.demo),
            durability: self.durability.or(other.durability),
            log_format: self.log_format.or(other.log_format),
            cache_ttl: self.cache_ttl.or(other.cache_ttl),
            rate_limit: self.rate_limit.or(other.rate_limit),
            max_environments: self.max_environments.or(other.max_environments),
            allowed_origin: self.allowed_origin.or(other.allowed_origin),
            trusted_proxy: self.trusted_proxy.or(other.trusted_proxy),
            retention_days: self.retention_days.or(other.retention_days),
            secret_key_file: self.secret_key_file.or(other.secret_key_file),
            smtp_url: self.smtp_url.or(other.smtp_url),
            mail_from: self.mail_from.or(other.mail_from),
        }
    }

    /// Checks everything and fills in the defaults.
    fn into_config(self, db: PathBuf) -> Result<Config, Failure> {
        let mut config = Config::new(db);
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        if let Some(url) = self.base_url {
            let parsed = url::Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            config.base_url =
                Some(parsed.ok_or_else(|| {
                    format!("--base-url {url}: must be a URL such as https://flags.example")
                })?);
        }
        config.dev = self.dev.unwrap_or(config.dev);
        config.demo = self.demo.unwrap_or(config.demo);
        config.durability = self.durability.unwrap_or(config.durability);
        config.log_format = self.log_format.unwrap_or(config.log_format);
        config.cache_ttl = self.cache_ttl.map_or(config.cache_ttl, Duration::from_secs);
        config.rate_limit = self.rate_limit.unwrap_or(config.rate_limit);
        let max = self.max_environments.or(variable("MAX_ENVIRONMENTS").and_then(|text| text.parse().ok()));
        config.max_environments = max.unwrap_or(config.max_environments);
        if let Some(origins) = self.allowed_origin {
            config.allowed_origins = Origins::parse(&origins)?;
        }
        for network in self.trusted_proxy.unwrap_or_default() {
            let parsed = network.parse().or_else(|_| network.parse::<IpAddr>().map(Into::into));
            config.trusted_proxies.push(
                parsed.map_err(|_| {
                    format!("--trusted-proxy {network}: must be a network such as 10.0.0.0/8")
                })?,
            );
        }
        if let Some(days) = self.retention_days {
            if !(1..=36_500).contains(&days) {
                return Err("--retention-days: must be from 1 to 36500".into());
            }
            config.retention = Duration::from_secs(days * 24 * 3600);
        }
        config.secret_key = match self.secret_key_file {
            Some(file) => Some(SecretKey(
                std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?,
            )),
            None => variable("FEATURED_SECRET_KEY").map(SecretKey),
        };
        config.smtp_url = self.smtp_url.as_deref().map(crate::jobs::mail::read_url).transpose()?;
        if let Some(from) = self.mail_from {
            crate::jobs::mail::check_sender(&from)?;
            config.mail_from = Some(from);
        }
        config.first_admin = match ["USERNAME", "EMAIL", "PASSWORD"]
            .map(|name| variable(&format!("FEATURED_ADMIN_{name}")))
        {
            [Some(username), Some(email), Some(password)] => Some(FirstAdmin { username, email, password }),
            [None, None, None] => None,
            _ => {
                return Err(
                    "set all of FEATURED_ADMIN_USERNAME, FEATURED_ADMIN_EMAIL, FEATURED_ADMIN_PASSWORD"
                        .into(),
                );
            }
        };
        Ok(config)
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn read_config_file(path: &Path) -> Result<ServeArgs, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        format!("{}, line {line}: {}", path.display(), error.message())
    })
}

fn run_server(args: ServeArgs, file: ServeArgs, db: PathBuf) -> Result<(), Failure> {
    let config = args.or(file).into_config(db)?;
    start_logging(&config);
    server::serve(config)
}

fn start_logging(config: &Config) {
    use tracing_subscriber::EnvFilter;
    let default = if config.dev { "info,featured=debug" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second server in one process (tests) keeps the first one's log.
    let _ = match config.log_format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
    };
}

/// Where results go.
struct Output {
    json: bool,
}

impl Output {
    fn text(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        match write!(stdout, "{text}{end}").and_then(|()| stdout.flush()) {
            // The reader has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|error| format!("cannot write: {error}")),
        }
    }

    /// JSON for programs, the sentence for people.
    fn either(&self, json: &serde_json::Value, text: &str) -> Result<(), Failure> {
        if self.json { self.text(&json.to_string()) } else { self.text(text) }
    }
}

fn actor() -> Actor {
    Actor::system("command line")
}

fn open(db: &Path) -> Result<Arc<App>, Failure> {
    App::open(Config::new(db)).map_err(|error| error.to_string())
}

fn open_existing(db: &Path) -> Result<Arc<App>, Failure> {
    if !db.exists() {
        return Err(format!("{} does not exist", db.display()));
    }
    open(db)
}

fn plain(error: Error) -> Failure {
    server::explain(&error)
}

fn to_json<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

/// JSON with line breaks; numbers keep their text.
fn pretty(json: &str) -> Result<String, Failure> {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut chars = json.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(c) = chars.next() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '"' => {
                in_string = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                if chars.peek().is_some_and(|next| matches!(next, '}' | ']')) {
                    continue;
                }
                depth += 1;
                line(&mut out, depth);
            }
            '}' | ']' => {
                if !out.ends_with(['{', '[']) {
                    depth = depth.saturating_sub(1);
                    line(&mut out, depth);
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_whitespace() => {}
            c => out.push(c),
        }
    }
    out.push('\n');
    Ok(out)
}

/// What stands on stdin, without one newline at the end.
fn read_password() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot read the password: {error}"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn user(command: UserCommand, db: &Path, out: &Output) -> Result<(), Failure> {
    match command {
        UserCommand::Add { name, email, role, password_stdin: _ } => {
            let password = read_password()?;
            let app = open(db)?;
            let role = match role {
                RoleArg::Admin => Role::Admin,
                RoleArg::Editor => Role::Editor,
                RoleArg::Viewer => Role::Viewer,
            };
            let user = users::create(&app, &actor(), &name, &email, role, &password).map_err(plain)?;
            let json =
                json!({ "id": user.uuid, "username": user.username, "email": user.email, "role": user.role });
            out.either(&json, &format!("user {} ({}) made", user.username, user.role.as_str()))
        }
        UserCommand::Pat { name, description } => {
            let app = open_existing(db)?;
            let secret = users::create_personal_token(&app, &actor(), &name, &description).map_err(plain)?;
            out.either(&json!({ "token": secret }), &secret)
        }
        UserCommand::Passwd { name, password_stdin: _ } => {
            let password = read_password()?;
            let app = open_existing(db)?;
            users::set_password(&app, &actor(), &name, &password).map_err(plain)?;
            out.either(&json!({ "username": name }), &format!("password of {name} changed"))
        }
        UserCommand::ResetTwoFactor { name } => {
            let app = open_existing(db)?;
            users::reset_two_factor(&app, &actor(), &name).map_err(plain)?;
            out.either(&json!({ "username": name }), &format!("{name} has no second factor now"))
        }
        UserCommand::List => {
            let app = open_existing(db)?;
            let users = app.read(store::users::list).map_err(plain)?;
            let json: Vec<_> = users
                .iter()
                .map(|user| {
                    json!({
                        "id": user.uuid, "username": user.username, "email": user.email, "role": user.role,
                        "active": user.active, "twoFactor": user.two_factor,
                        "createdAt": clock::rfc3339(user.created_at),
                        "lastLoginAt": user.last_login_at.map(clock::rfc3339),
                    })
                })
                .collect();
            let lines: Vec<_> = users
                .iter()
                .map(|user| format!("{:<20} {:<8} {}", user.username, user.role.as_str(), user.email))
                .collect();
            out.either(&json.into(), &lines.join("\n"))
        }
    }
}

fn token(command: TokenCommand, db: &Path, out: &Output) -> Result<(), Failure> {
    let TokenCommand::Add { site, env, kind, permissions, rate_limit, description } = command;
    let app = open_existing(db)?;
    let body = json!({
        "description": description, "kind": kind, "permissions": permissions, "rateLimit": rate_limit,
    });
    let created = tokens::create(&app, &actor(), &site, &env, &body.to_string()).map_err(plain)?;
    out.either(
        &json!({ "token": created.token, "featurehubKey": created.featurehub_key }),
        &format!("token          {}\nfeaturehubKey  {}", created.token, created.featurehub_key),
    )
}

/// A document as JSON text, from a file or stdin. What begins with `{` is JSON, the rest YAML.
fn read_document(path: &Path) -> Result<Document, Failure> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
    let json = if text.trim_start().starts_with('{') {
        text
    } else {
        yaml::to_json(&text).map_err(|error| format!("{}: {error}", path.display()))?
    };
    documents::read(&json).map_err(|error| format!("{}: {}", path.display(), server::explain(&error)))
}

fn import(db: &Path, file: &Path, dry_run: bool, mode: Mode, out: &Output) -> Result<(), Failure> {
    let document = read_document(file)?;
    let app = open(db)?;
    let plan = documents::import(&app, &actor(), &document, None, mode, dry_run).map_err(plain)?;
    if out.json { out.text(&to_json(&plan)?) } else { out.text(&describe(&plan)) }
}

fn describe(plan: &Plan) -> String {
    let mut lines = Vec::new();
    lines.extend(plan.created.iter().map(|entry| format!("+ {}", entry.path)));
    for update in &plan.updated {
        lines.push(format!("~ {}: {}", update.path, crate::engine::diff::summary(&update.differences)));
    }
    lines.extend(plan.deleted.iter().map(|entry| format!("- {}", entry.path)));
    lines.push(format!(
        "{}{} created, {} updated, {} deleted, {} unchanged",
        if plan.dry_run { "dry run: " } else { "" },
        plan.created.len(),
        plan.updated.len(),
        plan.deleted.len(),
        plan.unchanged
    ));
    lines.join("\n")
}

fn stored_snapshot(db: &Path, site: Option<&str>, env: &str) -> Result<Snapshot, Failure> {
    let app = open_existing(db)?;
    let site = site.ok_or("say which site: --site ID-OR-SLUG")?;
    app.read_consistent(|conn| {
        let (_, environment) = crate::admin::scope(conn, site, env)?;
        Ok(Snapshot::compile(store::snapshot::load(conn, environment.id)?))
    })
    .map_err(plain)
}

/// An environment straight from a document, as importing it into an empty database would make it.
fn document_snapshot(path: &Path, site: Option<&str>, env: &str) -> Result<Snapshot, Failure> {
    let document = read_document(path)?;
    if site.is_some_and(|site| site != document.slug) {
        return Err(format!("{} is a document of the site {}", path.display(), document.slug));
    }
    let scratch = tempfile_database()?;
    documents::import(&scratch.app, &actor(), &document, None, Mode::Merge, false).map_err(plain)?;
    scratch
        .app
        .read_consistent(|conn| {
            let (_, environment) = crate::admin::scope(conn, &document.slug, env)?;
            Ok(Snapshot::compile(store::snapshot::load(conn, environment.id)?))
        })
        .map_err(plain)
}

/// A database that goes away with this value.
struct Scratch {
    app: Arc<App>,
    folder: PathBuf,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind in the temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn tempfile_database() -> Result<Scratch, Failure> {
    let folder = std::env::temp_dir().join(format!("featured-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut config = Config::new(folder.join("scratch.db"));
    config.durability = Durability::Normal;
    config.max_environments = usize::MAX;
    match App::open(config) {
        Ok(app) => Ok(Scratch { app, folder }),
        Err(error) => {
            let _ = std::fs::remove_dir_all(&folder);
            Err(error.to_string())
        }
    }
}

fn evaluate(
    snapshot: &Snapshot,
    context: &str,
    feature: Option<&str>,
    why: bool,
    out: &Output,
) -> Result<(), Failure> {
    let context =
        Context::from_json(context).map_err(|error| format!("--context must be a JSON object: {error}"))?;
    let now = i128::from(clock::now()) * 1_000_000;
    let evaluator = Evaluator::new(snapshot, &context, now).map_err(|error| plain(error.into()))?;
    let wanted: Vec<_> = match feature {
        Some(key) => vec![snapshot.feature(key).ok_or_else(|| format!("feature {key} does not exist"))?],
        None => snapshot.features().collect(),
    };
    if why {
        let views: Result<Vec<_>, _> =
            wanted.iter().map(|f| crate::api::rest::explain::view(explain(&evaluator, f), "MISS")).collect();
        let views = views.map_err(plain)?;
        let json = if feature.is_some() { to_json(&views.first())? } else { to_json(&views)? };
        return out.text(&if out.json { json } else { pretty(&json)? });
    }
    let evaluations = || wanted.iter().map(|feature| evaluator.evaluate(feature));
    if out.json {
        let mut body = Vec::new();
        crate::api::rest::wire::push_features(&mut body, evaluations());
        return out.text(&String::from_utf8_lossy(&body));
    }
    let lines: Vec<String> = evaluations()
        .map(|evaluation| {
            let rule = evaluation.rule.map(|rule| format!(", rule {:?}", rule.name)).unwrap_or_default();
            let variant = evaluation.variant.map(|v| format!(", variant {}", v.key)).unwrap_or_default();
            format!(
                "{} = {}  ({}{rule}{variant})",
                evaluation.feature.key,
                evaluation.value,
                evaluation.reason.as_str()
            )
        })
        .collect();
    out.text(&lines.join("\n"))
}

/// The file's integrity as SQLite sees it, then what is in it as evaluation does.
fn check(db: &Path, out: &Output) -> Result<(), Failure> {
    if !db.exists() {
        return Err(format!("{} does not exist", db.display()));
    }
    let store = Store::open(db, Durability::Full).map_err(|error| error.to_string())?;
    let mut problems: Vec<String> = Vec::new();
    let conn = store.read().map_err(plain)?;
    let read = |sql: &str| -> Result<Vec<String>, rusqlite::Error> {
        conn.prepare(sql)?.query_map([], |row| row.get::<_, String>(0))?.collect()
    };
    let found = read("PRAGMA integrity_check").map_err(|error| error.to_string())?;
    problems.extend(found.into_iter().filter(|line| line != "ok"));
    let broken_links = read(
        "SELECT \"table\" || ' row ' || coalesce(rowid, '') || ' points to a missing row of ' || parent FROM pragma_foreign_key_check",
    );
    problems.extend(broken_links.map_err(|error| error.to_string())?);
    let mut features = 0;
    for (id, _) in store::environments::revisions(&conn).map_err(plain)? {
        let snapshot = Snapshot::compile(store::snapshot::load(&conn, id).map_err(plain)?);
        features += snapshot.len();
        for feature in snapshot.features() {
            if let Some(problem) = &feature.broken {
                let Info { site, name, .. } = &snapshot.info;
                problems.push(format!("{site}/{name}/{}: {problem}", feature.key));
            }
        }
    }
    if !problems.is_empty() {
        out.either(&json!({ "ok": false, "problems": problems }), &problems.join("\n"))?;
        return Err(format!("{} problems", problems.len()));
    }
    out.either(&json!({ "ok": true, "features": features }), &format!("ok, {features} features"))
}

/// Asks `/readyz` over plain HTTP.
fn healthcheck(url: &str) -> Result<(), Failure> {
    let parsed = url::Url::parse(url).map_err(|error| format!("{url}: {error}"))?;
    if parsed.scheme() != "http" {
        return Err(format!("{url}: only http:// can be asked; ask the server itself, not its proxy"));
    }
    let host = parsed.host_str().unwrap_or("127.0.0.1").to_owned();
    let port = parsed.port_or_known_default().unwrap_or(80);
    let failed = |error: std::io::Error| format!("{url}: {error}");
    let addresses: Vec<SocketAddr> = parsed.socket_addrs(|| None).map_err(failed)?;
    let address = addresses.first().ok_or_else(|| format!("{url}: no address"))?;
    let mut stream = TcpStream::connect_timeout(address, Duration::from_secs(5)).map_err(failed)?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(failed)?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n")
        .map_err(failed)?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer).map_err(failed)?;
    match answer.split_whitespace().nth(1) {
        Some("200") => Ok(()),
        _ => Err(format!("{url}: not ready: {}", answer.lines().last().unwrap_or_default())),
    }
}
