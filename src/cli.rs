//! The command line of native-api: arguments and the subcommands. [`crate::options`] has the options of `serve`.

mod contexts;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use serde::Serialize;
use serde_json::json;

use crate::admin::documents::{self, Mode, Plan};
use crate::admin::{flagr_import, tokens, users};
use crate::app::{Actor, App};
use crate::config::{Config, Durability, LogFormat};
use crate::engine::context::Context;
use crate::engine::decode::pretty;
use crate::engine::document::Document;
use crate::engine::evaluate::Evaluator;
use crate::engine::explain::explain;
use crate::engine::permission::Role;
use crate::engine::snapshot::{Info, Snapshot};
use crate::error::{Error, Failure};
use crate::options::Options;
use crate::server;
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
    serve: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve (what happens without a subcommand)
    Serve(Box<Options>),
    /// Make and repair users
    #[command(subcommand, arg_required_else_help = false)]
    User(UserCommand),
    /// Make environment tokens
    #[command(subcommand, arg_required_else_help = false)]
    Token(TokenCommand),
    /// Apply a site document (JSON or YAML; - is stdin), or take flags over from another server
    Import {
        /// The document; with --from flagr, an eval-cache export or an SQLite file of Flagr's
        file: PathBuf,
        /// Whose flags they are
        #[arg(long, value_enum, requires_all = ["site", "env"])]
        from: Option<Foreign>,
        /// With --from: the site they go to, id or slug
        #[arg(long, requires = "from")]
        site: Option<String>,
        /// With --from: the environment, id or name
        #[arg(long, requires = "from")]
        env: Option<String>,
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
    /// Export, plan and apply the Contexts of an environment
    #[command(subcommand, arg_required_else_help = false)]
    Contexts(contexts::Command),
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
    /// Write a checked copy of the database, also while a server runs
    Backup { out: PathBuf },
    /// Put a copy in the place of the database, which is kept beside it
    Restore { backup: PathBuf },
    /// Check the file and what is in it
    Check,
    /// The audit log
    #[command(subcommand, arg_required_else_help = false)]
    Audit(AuditCommand),
    /// Print the description of the API (OpenAPI 3.1)
    Openapi,
    /// Exit 0 when a server is ready
    Healthcheck {
        /// Where it listens [default: as --listen says]
        url: Option<String>,
    },
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Compute the chain of the audit log anew: edits, gaps and a cut-off end show
    Verify,
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

/// Another server whose flags can be taken over.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Foreign {
    Flagr,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Yaml,
    Json,
}

/// Runs the command line of this process. 0 on success, 2 on wrong usage, 1 otherwise with one line that
/// says why.
pub fn run() -> ExitCode {
    let ended = match parse() {
        Ok(cli) => dispatch(cli),
        Err(error) if !error.use_stderr() => {
            // The reader of a help text may have seen enough.
            let _ = error.print();
            Ok(())
        }
        Err(error) => Err(Failure::Usage(one_line(&error))),
    };
    let (code, message) = match ended {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => (ExitCode::from(2), message),
        Err(Failure::Other(message)) => (ExitCode::FAILURE, message),
    };
    let line = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    // Nobody may be reading; the exit code tells, too.
    let _ = writeln!(std::io::stderr(), "featured: {line}");
    code
}

/// The options of `serve` may stand before and after that word. Variables are read for those before it, so
/// that a flag in either place beats them; they are shown in both helps.
fn parse() -> Result<Cli, clap::Error> {
    let unset = |serve: clap::Command| serve.mut_args(|arg| arg.env(None::<&'static str>));
    match Cli::command().mut_subcommand("serve", unset).try_get_matches() {
        Ok(matches) => Cli::from_arg_matches(&matches),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => Cli::try_parse(),
        Err(error) => Err(error),
    }
}

/// What clap says over several lines, without its usage text.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let lines = text.lines().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let words: Vec<_> = lines.flat_map(str::split_whitespace).collect();
    format!("{} (see featured --help)", words.join(" "))
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    let Cli { db, config, json, serve, command } = cli;
    let file = match &config {
        Some(path) => Options::read(path)?,
        None => Options::default(),
    };
    let options = serve.or(Options::from_variables()?).or(file);
    let db = db.or_else(|| options.db.clone());
    let need_db =
        || db.clone().ok_or_else(|| Failure::Usage("say which database: --db FILE (or FEATURED_DB)".into()));
    let open = |make: bool| open(&options, &need_db()?, make);
    let out = Output { json };
    match command {
        None => run_server(options.into_config(need_db()?)?),
        Some(Command::Serve(args)) => run_server(args.or(options).into_config(need_db()?)?),
        Some(Command::User(command)) => user(command, open, &out),
        Some(Command::Token(command)) => token(command, &*open(false)?, &out),
        Some(Command::Import { file, from: Some(Foreign::Flagr), site, env, dry_run, .. }) => {
            let source = flagr_import::read(&file).map_err(|why| format!("{}: {why}", file.display()))?;
            let (site, env) = (site.unwrap_or_default(), env.unwrap_or_default());
            let report = flagr_import::import(&*open(false)?, &actor(), &site, &env, &source, dry_run)
                .map_err(|error| out.refused(&file, error))?;
            if out.json { out.text(&to_json(&report)?) } else { out.text(&report.lines()) }
        }
        Some(Command::Import { file, dry_run, mode, .. }) => {
            let document = read_document(&file, &out)?;
            // Where there is no database, a dry run makes none either.
            let scratch = match &*need_db()? {
                db if dry_run && !db.exists() => Some(Scratch::new(&options)?),
                _ => None,
            };
            let app = match &scratch {
                Some(scratch) => scratch.app.clone(),
                None => open(true)?,
            };
            let plan = documents::import(&app, &actor(), &document, None, mode, dry_run)
                .map_err(|error| out.refused(&file, error))?;
            if out.json { out.text(&to_json(&plan)?) } else { out.text(&describe(&plan)) }
        }
        Some(Command::Export { site, format }) => {
            let document = documents::export(&*open(false)?, &actor(), &site)?;
            let json = to_json(&document)?;
            out.text(&match format {
                _ if out.json => json,
                Format::Json => pretty(&json),
                Format::Yaml => yaml::from_json(&json).map_err(|error| error.to_string())?,
            })
        }
        Some(Command::Contexts(command)) => contexts::run(command, &*open(false)?, &out),
        Some(Command::Evaluate { file: document, site, env, context, feature, explain }) => {
            let snapshot = match document {
                Some(path) => document_snapshot(&path, site.as_deref(), &env, &out)?,
                None => {
                    let site =
                        site.ok_or_else(|| Failure::Usage("say which site: --site ID-OR-SLUG".into()))?;
                    stored_snapshot(&*open(false)?, &site, &env)?
                }
            };
            evaluate(&snapshot, &context, feature.as_deref(), explain, &out)
        }
        Some(Command::Backup { out: file }) => {
            let db = need_db()?;
            if !db.exists() {
                return Err(format!("{} does not exist", db.display()).into());
            }
            store::backup::make(&db, &file)?;
            out.either(
                &json!({ "backup": file }),
                &format!(
                    "{} is a whole copy. The key that opens secrets is not in it: keep {}.key apart, or what --secret-key-file names",
                    file.display(),
                    db.display()
                ),
            )
        }
        Some(Command::Restore { backup }) => {
            let db = need_db()?;
            let (before, problem) = match store::backup::restore(&db, &backup)? {
                Some(kept) => (Some(kept.path), kept.problem),
                None => (None, None),
            };
            let mut said = format!("{} is what {} was", db.display(), backup.display());
            if let Some(before) = &before {
                said += &format!("; what was there is {}", before.display());
            }
            if let Some(problem) = &problem {
                said += &format!(", as it was, for it could not be copied: {problem}");
            }
            out.either(&json!({ "restored": db, "before": before, "problem": problem }), &said)
        }
        Some(Command::Check) => check(&need_db()?, &out),
        Some(Command::Audit(AuditCommand::Verify)) => verify_audit(&need_db()?, &out),
        Some(Command::Openapi) => {
            let json = crate::api::rest::openapi::json(None)?;
            out.text(&if out.json { json } else { pretty(&json) })
        }
        Some(Command::Healthcheck { url }) => {
            let listen = options.listen.unwrap_or_else(|| Config::new("").listen);
            healthcheck(&url.unwrap_or_else(|| reachable(&listen)))
        }
    }
}

fn run_server(config: Config) -> Result<(), Failure> {
    start_logging(&config);
    server::serve(config)
}

/// Logs to stderr what `RUST_LOG` asks for (`info,featured=debug`), else what suits the mode.
fn start_logging(config: &Config) {
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::prelude::*;
    let default = if config.dev { "info,featured=debug" } else { "info" };
    let asked = std::env::var("RUST_LOG").ok().and_then(|asked| asked.parse::<Targets>().ok());
    let filter = asked.unwrap_or_else(|| default.parse().unwrap_or_default());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        // It would tell stderr that stderr is gone, and panic over that.
        .log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(filter);
    // A second server in one process (tests) keeps the first one's log.
    let _ = match config.log_format {
        LogFormat::Json => registry.with(lines.json()).try_init(),
        LogFormat::Text => {
            let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
            registry.with(lines.with_ansi(ansi)).try_init()
        }
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
            other => Ok(other.map_err(|error| format!("cannot write: {error}"))?),
        }
    }

    /// A document that cannot be applied. Several problems are listed on stdout; stderr gets how many.
    fn refused(&self, file: &Path, error: Error) -> Failure {
        let file = file.display();
        let problems = match &error {
            Error::Invalid(problems) | Error::UnknownField(problems) => json!(problems),
            Error::Unprocessable(_, _, details) => details["problems"].clone(),
            _ => serde_json::Value::Null,
        };
        let several = problems.as_array().filter(|problems| problems.len() > 1);
        let Some(several) = several else {
            return Failure::Other(format!("{file}: {}", error.explain()));
        };
        let text =
            |problem: &serde_json::Value, name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        let lines: Vec<_> = several
            .iter()
            .map(|problem| format!("{} {}", text(problem, "field"), text(problem, "message")))
            .collect();
        match self.either(&json!({ "problems": problems }), &lines.join("\n")) {
            Ok(()) => Failure::Other(format!("{file}: {} problems; nothing was changed", lines.len())),
            Err(failure) => failure,
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

/// Opens the database; one that is not there is made only where it should be.
fn open(options: &Options, db: &Path, make: bool) -> Result<Arc<App>, Failure> {
    if !make && !db.exists() {
        return Err(format!("{} does not exist", db.display()).into());
    }
    Ok(App::open(options.for_command(db)).map_err(|error| error.to_string())?)
}

fn to_json<T: Serialize>(value: &T) -> Result<String, Failure> {
    Ok(serde_json::to_string(value).map_err(|error| error.to_string())?)
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

fn user(
    command: UserCommand,
    open: impl Fn(bool) -> Result<Arc<App>, Failure>,
    out: &Output,
) -> Result<(), Failure> {
    match command {
        UserCommand::Add { name, email, role, password_stdin: _ } => {
            let password = read_password()?;
            let app = open(true)?;
            let role = match role {
                RoleArg::Admin => Role::Admin,
                RoleArg::Editor => Role::Editor,
                RoleArg::Viewer => Role::Viewer,
            };
            let user = users::create(&app, &actor(), &name, &email, role, &password)?;
            let json =
                json!({ "id": user.uuid, "username": user.username, "email": user.email, "role": user.role });
            out.either(&json, &format!("user {} ({}) made", user.username, user.role.as_str()))
        }
        UserCommand::Pat { name, description } => {
            let app = open(false)?;
            let secret = users::create_personal_token(&app, &actor(), &name, &description)?;
            out.either(&json!({ "token": secret }), &secret)
        }
        UserCommand::Passwd { name, password_stdin: _ } => {
            let password = read_password()?;
            let app = open(false)?;
            users::set_password(&app, &actor(), &name, &password)?;
            out.either(&json!({ "username": name }), &format!("password of {name} changed"))
        }
        UserCommand::ResetTwoFactor { name } => {
            let app = open(false)?;
            users::reset_two_factor(&app, &actor(), &name)?;
            out.either(&json!({ "username": name }), &format!("{name} has no second factor now"))
        }
        UserCommand::List => {
            let app = open(false)?;
            let users = app.read(store::users::list)?;
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

fn token(command: TokenCommand, app: &App, out: &Output) -> Result<(), Failure> {
    let TokenCommand::Add { site, env, kind, permissions, rate_limit, description } = command;
    let body = json!({
        "description": description, "kind": kind, "permissions": permissions, "rateLimit": rate_limit,
    });
    let created = tokens::create(app, &actor(), &site, &env, &body.to_string())?;
    out.either(
        &json!({
            "id": created.view.id, "token": created.token, "featurehubKey": created.featurehub_key,
        }),
        &format!("token          {}\nfeaturehubKey  {}", created.token, created.featurehub_key),
    )
}

/// A document as JSON text, from a file or stdin. What begins with `{` is JSON, the rest YAML.
fn read_document(path: &Path, out: &Output) -> Result<Document, Failure> {
    documents::read(&read_text(path)?).map_err(|error| out.refused(path, error))
}

/// The text of a document, YAML turned into JSON.
fn read_text(path: &Path) -> Result<String, Failure> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(if text.trim_start().starts_with('{') {
        text
    } else {
        yaml::to_json(&text).map_err(|error| format!("{}: {error}", path.display()))?
    })
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

fn stored_snapshot(app: &App, site: &str, env: &str) -> Result<Snapshot, Failure> {
    Ok(app.read_consistent(|conn| {
        let (_, environment) = crate::admin::scope(conn, site, env)?;
        Ok(Snapshot::compile(store::snapshot::load(conn, environment.id)?))
    })?)
}

/// An environment straight from a document, as importing it into an empty database would make it.
fn document_snapshot(path: &Path, site: Option<&str>, env: &str, out: &Output) -> Result<Snapshot, Failure> {
    let document = read_document(path, out)?;
    if site.is_some_and(|site| site != document.slug) {
        return Err(format!("{} is a document of the site {}", path.display(), document.slug).into());
    }
    let scratch = Scratch::new(&Options::unlimited())?;
    documents::import(&scratch.app, &actor(), &document, None, Mode::Merge, false)
        .map_err(|error| out.refused(path, error))?;
    stored_snapshot(&scratch.app, &document.slug, env)
}

/// A database that goes away with this value.
struct Scratch {
    app: Arc<App>,
    folder: PathBuf,
}

impl Scratch {
    fn new(options: &Options) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("featured-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut config = options.for_command(&folder.join("scratch.db"));
        config.durability = Durability::Normal;
        match App::open(config) {
            Ok(app) => Ok(Self { app, folder }),
            Err(error) => {
                let _ = std::fs::remove_dir_all(&folder);
                Err(error.to_string().into())
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind in the temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn evaluate(
    snapshot: &Snapshot,
    context: &str,
    feature: Option<&str>,
    why: bool,
    out: &Output,
) -> Result<(), Failure> {
    let context = Context::from_json(context)
        .map_err(|error| Failure::Usage(format!("--context must be a JSON object: {error}")))?;
    let now = i128::from(clock::now()) * 1_000_000;
    let evaluator = Evaluator::new(snapshot, &context, now).map_err(Error::from)?;
    let wanted: Vec<_> = match feature {
        Some(key) => vec![snapshot.feature(key).ok_or_else(|| format!("feature {key} does not exist"))?],
        None => snapshot.features().collect(),
    };
    if why {
        let views: Result<Vec<_>, _> =
            wanted.iter().map(|f| crate::api::rest::explain::view(explain(&evaluator, f), "MISS")).collect();
        let views = views?;
        let json = if feature.is_some() { to_json(&views.first())? } else { to_json(&views)? };
        return out.text(&if out.json { json } else { pretty(&json) });
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
        return Err(format!("{} does not exist", db.display()).into());
    }
    let store = Store::open(db, Durability::Full).map_err(|error| error.to_string())?;
    let mut problems: Vec<String> = Vec::new();
    let conn = store.read()?;
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
    for (id, _) in store::environments::revisions(&conn)? {
        let snapshot = Snapshot::compile(store::snapshot::load(&conn, id)?);
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
        return Err(format!("{} problems in {}", problems.len(), db.display()).into());
    }
    out.either(&json!({ "ok": true, "features": features }), &format!("ok, {features} features"))
}

/// The chain of the audit log.
fn verify_audit(db: &Path, out: &Output) -> Result<(), Failure> {
    if !db.exists() {
        return Err(format!("{} does not exist", db.display()).into());
    }
    let store = Store::open(db, Durability::Full).map_err(|error| error.to_string())?;
    let mut conn = store.read()?;
    let moment = conn.transaction().map_err(Error::from)?;
    let found = store::changes::verify(&moment)?;
    if !found.ok {
        let lines: Vec<String> = found
            .problems
            .iter()
            .map(|problem| format!("entry {}: {}", problem.number, problem.problem))
            .collect();
        if out.json {
            out.text(&to_json(&found)?)?
        } else {
            out.text(&lines.join("\n"))?
        }
        return Err(format!("the audit log of {} was tampered with", db.display()).into());
    }
    if out.json {
        return out.text(&to_json(&found)?);
    }
    out.text(&format!(
        "ok, {} entries, {} rewritten by erasures\nhead {}",
        found.entries, found.rewritten, found.head
    ))
}

/// Where a server that listens there is reached from this machine.
fn reachable(listen: &str) -> String {
    let here = |ip: IpAddr| match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    match listen.parse::<SocketAddr>() {
        Ok(address) => format!("http://{}", SocketAddr::new(here(address.ip()), address.port())),
        Err(_) => format!("http://{listen}"),
    }
}

/// Asks `/readyz` over plain HTTP.
fn healthcheck(url: &str) -> Result<(), Failure> {
    let parsed = url::Url::parse(url).map_err(|error| Failure::Usage(format!("{url}: {error}")))?;
    if parsed.scheme() != "http" {
        return Err(Failure::Usage(format!(
            "{url}: only http:// can be asked; ask the server itself, not its proxy"
        )));
    }
    let host = parsed.host_str().unwrap_or("127.0.0.1").to_owned();
    let port = parsed.port_or_known_default().unwrap_or(80);
    let failed = |error: std::io::Error| format!("{url}: {error}");
    let addresses: Vec<SocketAddr> = parsed.socket_addrs(|| None).map_err(failed)?;
    // A name such as localhost has several, and the server listens on one.
    let connect = |address: &SocketAddr| TcpStream::connect_timeout(address, Duration::from_secs(5));
    let first = addresses.iter().find_map(|address| connect(address).ok());
    let mut stream = match first {
        Some(stream) => stream,
        None => {
            let address = addresses.first().ok_or_else(|| format!("{url}: no address"))?;
            connect(address).map_err(failed)?
        }
    };
    stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(failed)?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n")
        .map_err(failed)?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer).map_err(failed)?;
    match answer.split_whitespace().nth(1) {
        Some("200") => Ok(()),
        _ => Err(format!("{url}: not ready: {}", answer.lines().last().unwrap_or_default()).into()),
    }
}
