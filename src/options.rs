//! What `serve` can be told, by flag, variable or TOML file, before it is checked and becomes a
//! [`crate::config::Config`].

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use ipnet::IpNet;
use serde::Deserialize;

use crate::config::{
    Config, Durability, Fastly, FeatureHub, FirstAdmin, InjectedHeaders, LogFormat, Origins, SecretKey,
};
use crate::error::Failure;
use crate::net::Policy;

/// A year, in seconds.
const MAX_CACHE_TTL: u64 = 365 * 24 * 3600;

/// The options of `serve`: flag beats variable beats file beats default.
#[derive(Args, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    #[arg(skip)]
    pub db: Option<PathBuf>,
    /// Address and port; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "FEATURED_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// How the outside reaches this server, such as https://flags.example
    #[arg(long, env = "FEATURED_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    /// For development: log every request, and let webhooks use http://
    #[arg(long, env = "FEATURED_DEV", value_name = "YES", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = BoolishValueParser::new())]
    dev: Option<bool>,
    /// Fill an empty database with something to look at
    #[arg(long, env = "FEATURED_DEMO", value_name = "YES", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = BoolishValueParser::new())]
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
    /// Seconds after which a silent stream says that it lives [default: 15]
    #[arg(long, env = "FEATURED_HEARTBEAT", value_name = "SECONDS")]
    heartbeat: Option<u64>,
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
    /// Trust the certificates of this PEM file for the mail server too: a private CA
    #[arg(long, env = "FEATURED_SMTP_CA_FILE", value_name = "FILE")]
    smtp_ca_file: Option<PathBuf>,
    /// Whom mail comes from [default: featured@ the host of the base URL]
    #[arg(long, env = "FEATURED_MAIL_FROM", value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// Stored Contexts an environment may have [default: 100000]
    #[arg(long, env = "FEATURED_MAX_CONTEXTS", value_name = "N")]
    max_contexts: Option<u64>,
    /// A Unix socket to serve on as well, for this user alone
    #[arg(long, env = "FEATURED_SOCKET", value_name = "FILE")]
    socket: Option<PathBuf>,
    /// Send counters and timers there over UDP, as statsd takes them
    #[arg(long, env = "FEATURED_STATSD", value_name = "HOST:PORT")]
    statsd: Option<String>,
    /// Serve featuresd's API at /api/features and /api/contexts too, not only at /featuresd/api
    #[arg(long, env = "FEATURED_FEATURESD_ROOT", value_name = "YES", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = BoolishValueParser::new())]
    featuresd_root: Option<bool>,
    /// For trying out: featuresd's API without a token works on the site default, environment dev. Loopback only
    #[arg(long, env = "FEATURED_INSECURE", value_name = "YES", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = BoolishValueParser::new())]
    insecure: Option<bool>,
    /// Add the time to the context of what Flagr's clients ask for: @ts, @ts_hour, @ts_weekday, @ts_month
    #[arg(long, env = "FEATURED_FLAGR_INJECTED_CONTEXT", value_name = "YES", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = BoolishValueParser::new())]
    flagr_injected_context: Option<bool>,
    /// And these headers of their requests, X-Country as @http_x_country; X-Geo-* is all that begin so
    #[arg(long, env = "FEATURED_FLAGR_INJECTED_HEADER", value_name = "NAME", value_delimiter = ',')]
    flagr_injected_header: Option<Vec<String>>,
    /// Private networks that webhooks may reach all the same
    #[arg(long, env = "FEATURED_WEBHOOK_ALLOW_PRIVATE", value_name = "CIDR", value_delimiter = ',')]
    webhook_allow_private: Option<Vec<String>>,
    /// Trust the certificates of this PEM file for webhooks too: a private CA
    #[arg(long, env = "FEATURED_WEBHOOK_CA_FILE", value_name = "FILE")]
    webhook_ca_file: Option<PathBuf>,
    /// Seconds that a receiver of webhooks may take for its answer, from 1 to 20 [default: 10]
    #[arg(long, env = "FEATURED_WEBHOOK_TIMEOUT", value_name = "SECONDS")]
    webhook_timeout: Option<u64>,
    /// Threads that deliver webhooks [default: 4]
    #[arg(long, env = "FEATURED_WORKERS", value_name = "N")]
    workers: Option<usize>,
    /// Days that counts and events are kept [default: 90]
    #[arg(long, env = "FEATURED_RETENTION_DAYS", value_name = "N")]
    retention_days: Option<u64>,
    /// cache-control of what FeatureHub clients poll; its max-age replaces their interval
    #[arg(long, env = "FEATURED_FEATUREHUB_CACHE_CONTROL", value_name = "TEXT")]
    featurehub_cache_control: Option<String>,
    /// A Fastly cache stands in front of FeatureHub clients: surrogate keys, contextSha required
    #[arg(long, env = "FEATURED_FEATUREHUB_FASTLY", value_name = "YES", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = BoolishValueParser::new())]
    featurehub_fastly: Option<bool>,
    /// The Fastly service whose cache is told what has changed (purged by surrogate key)
    #[arg(long, env = "FEATURED_FEATUREHUB_FASTLY_SERVICE", value_name = "ID")]
    featurehub_fastly_service: Option<String>,
    /// The API token for that
    #[arg(long, env = "FEATURED_FEATUREHUB_FASTLY_KEY", value_name = "TOKEN", hide_env_values = true)]
    featurehub_fastly_key: Option<String>,
    /// Where Fastly's API is [default: https://api.fastly.com]
    #[arg(long, env = "FEATURED_FEATUREHUB_FASTLY_API", value_name = "URL")]
    featurehub_fastly_api: Option<String>,
    /// Seconds between the ack events of FeatureHub streams; 0 is none [default: 0]
    #[arg(long, env = "FEATURED_FEATUREHUB_HEARTBEAT", value_name = "SECONDS")]
    featurehub_heartbeat: Option<u64>,
    /// Seconds after which FeatureHub streams are closed, to be opened anew; 0 is never [default: 0]
    #[arg(long, env = "FEATURED_FEATUREHUB_DROP_AFTER", value_name = "SECONDS")]
    featurehub_drop_after: Option<u64>,
    /// The share of evaluations that is counted for analytics, from 0 (none) to 1 [default: 1]
    #[arg(long, env = "FEATURED_SAMPLING", value_name = "SHARE")]
    sampling: Option<f64>,
}

impl Options {
    /// Those of a TOML file, named as the flags are.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        toml::from_str(&text).map_err(|error| {
            let before = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text[..before].matches('\n').count() + 1;
            Failure::Usage(format!("{}, line {line}: {}", path.display(), error.message()))
        })
    }

    /// Those with a name of their own among the variables.
    pub fn from_variables() -> Result<Self, Failure> {
        let max_environments = variable("MAX_ENVIRONMENTS")
            .map(|text| {
                text.parse()
                    .map_err(|_| Failure::Usage(format!("MAX_ENVIRONMENTS {text}: must be a whole number")))
            })
            .transpose()?;
        Ok(Self { max_environments, ..Self::default() })
    }

    /// These, and where one is not given, the other's.
    pub fn or(self, other: Self) -> Self {
        Self {
            db: self.db.or(other.db),
            listen: self.listen.or(other.listen),
            base_url: self.base_url.or(other.base_url),
            dev: self.dev.or(other.dev),
            demo: self.demo.or(other.demo),
            durability: self.durability.or(other.durability),
            log_format: self.log_format.or(other.log_format),
            cache_ttl: self.cache_ttl.or(other.cache_ttl),
            heartbeat: self.heartbeat.or(other.heartbeat),
            rate_limit: self.rate_limit.or(other.rate_limit),
            max_environments: self.max_environments.or(other.max_environments),
            allowed_origin: self.allowed_origin.or(other.allowed_origin),
            trusted_proxy: self.trusted_proxy.or(other.trusted_proxy),
            webhook_allow_private: self.webhook_allow_private.or(other.webhook_allow_private),
            webhook_ca_file: self.webhook_ca_file.or(other.webhook_ca_file),
            webhook_timeout: self.webhook_timeout.or(other.webhook_timeout),
            workers: self.workers.or(other.workers),
            retention_days: self.retention_days.or(other.retention_days),
            sampling: self.sampling.or(other.sampling),
            secret_key_file: self.secret_key_file.or(other.secret_key_file),
            smtp_url: self.smtp_url.or(other.smtp_url),
            smtp_ca_file: self.smtp_ca_file.or(other.smtp_ca_file),
            mail_from: self.mail_from.or(other.mail_from),
            featurehub_cache_control: self.featurehub_cache_control.or(other.featurehub_cache_control),
            featurehub_fastly: self.featurehub_fastly.or(other.featurehub_fastly),
            featurehub_fastly_service: self.featurehub_fastly_service.or(other.featurehub_fastly_service),
            featurehub_fastly_key: self.featurehub_fastly_key.or(other.featurehub_fastly_key),
            featurehub_fastly_api: self.featurehub_fastly_api.or(other.featurehub_fastly_api),
            featurehub_heartbeat: self.featurehub_heartbeat.or(other.featurehub_heartbeat),
            featurehub_drop_after: self.featurehub_drop_after.or(other.featurehub_drop_after),
            max_contexts: self.max_contexts.or(other.max_contexts),
            socket: self.socket.or(other.socket),
            statsd: self.statsd.or(other.statsd),
            featuresd_root: self.featuresd_root.or(other.featuresd_root),
            insecure: self.insecure.or(other.insecure),
            flagr_injected_context: self.flagr_injected_context.or(other.flagr_injected_context),
            flagr_injected_header: self.flagr_injected_header.or(other.flagr_injected_header),
        }
    }

    /// Without limits, for what is not kept.
    pub fn unlimited() -> Self {
        Self { max_environments: Some(usize::MAX), max_contexts: Some(u64::MAX), ..Self::default() }
    }

    /// What matters to a subcommand beside `serve`.
    pub fn for_command(&self, db: &Path) -> Config {
        let mut config = Config::new(db);
        config.max_environments = self.max_environments.unwrap_or(config.max_environments);
        config.max_contexts = self.max_contexts.unwrap_or(config.max_contexts);
        config
    }

    /// Checks everything and fills in the defaults.
    pub fn into_config(self, db: PathBuf) -> Result<Config, Failure> {
        let mut config = Config::new(db);
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        if let Some(url) = self.base_url {
            let parsed = url::Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            config.base_url = Some(parsed.ok_or_else(|| {
                Failure::Usage(format!("--base-url {url}: must be a URL such as https://flags.example"))
            })?);
        }
        config.dev = self.dev.unwrap_or(config.dev);
        config.demo = self.demo.unwrap_or(config.demo);
        config.durability = self.durability.unwrap_or(config.durability);
        config.log_format = self.log_format.unwrap_or(config.log_format);
        if let Some(seconds) = self.cache_ttl {
            if seconds > MAX_CACHE_TTL {
                return Err(Failure::Usage(format!("--cache-ttl: must be from 0 to {MAX_CACHE_TTL}")));
            }
            config.cache_ttl = Duration::from_secs(seconds);
        }
        if let Some(seconds) = self.heartbeat {
            if !(1..=3600).contains(&seconds) {
                return Err(Failure::Usage("--heartbeat: must be from 1 to 3600".into()));
            }
            config.heartbeat = Duration::from_secs(seconds);
        }
        config.rate_limit = self.rate_limit.unwrap_or(config.rate_limit);
        config.max_environments = self.max_environments.unwrap_or(config.max_environments);
        config.max_contexts = self.max_contexts.unwrap_or(config.max_contexts);
        config.socket = self.socket;
        if let Some(address) = self.statsd {
            if address.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
                return Err(Failure::Usage(format!(
                    "--statsd {address}: must be HOST:PORT, such as 127.0.0.1:8125"
                )));
            }
            config.statsd = Some(address);
        }
        config.featuresd_root = self.featuresd_root.unwrap_or(config.featuresd_root);
        config.insecure = self.insecure.unwrap_or(config.insecure);
        let headers = self.flagr_injected_header.unwrap_or_default();
        let injected = InjectedHeaders::parse(&headers).map_err(Failure::Usage)?;
        match self.flagr_injected_context.unwrap_or_default() {
            true => config.flagr_injected = Some(injected),
            false if headers.is_empty() => {}
            false => {
                return Err(Failure::Usage(
                    "--flagr-injected-header: needs --flagr-injected-context, too".into(),
                ));
            }
        }
        if let Some(origins) = self.allowed_origin {
            config.allowed_origins = Origins::parse(&origins).map_err(Failure::Usage)?;
        }
        config.trusted_proxies = networks("--trusted-proxy", self.trusted_proxy)?;
        config.webhook_allow_private = networks("--webhook-allow-private", self.webhook_allow_private)?;
        if let Some(file) = self.webhook_ca_file {
            config.webhook_ca = crate::net::tls::read_certificates(&file).map_err(Failure::Usage)?;
        }
        if let Some(seconds) = self.webhook_timeout {
            if !(1..=20).contains(&seconds) {
                return Err(Failure::Usage("--webhook-timeout: must be from 1 to 20".into()));
            }
            config.webhook_timeout = Duration::from_secs(seconds);
        }
        if let Some(workers) = self.workers {
            if !(1..=64).contains(&workers) {
                return Err(Failure::Usage("--workers: must be from 1 to 64".into()));
            }
            config.workers = workers;
        }
        if let Some(days) = self.retention_days {
            if !(1..=36_500).contains(&days) {
                return Err(Failure::Usage("--retention-days: must be from 1 to 36500".into()));
            }
            config.retention = Duration::from_secs(days * 24 * 3600);
        }
        if let Some(share) = self.sampling {
            if !(0.0..=1.0).contains(&share) {
                return Err(Failure::Usage("--sampling: must be from 0 to 1".into()));
            }
            config.sampling = share;
        }
        config.secret_key = match self.secret_key_file {
            Some(file) => Some(SecretKey(
                std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?,
            )),
            None => variable("FEATURED_SECRET_KEY").map(SecretKey),
        };
        config.smtp_url =
            self.smtp_url.as_deref().map(crate::jobs::mail::read_url).transpose().map_err(Failure::Usage)?;
        config.smtp_ca = self
            .smtp_ca_file
            .as_deref()
            .map(crate::jobs::mail::read_ca)
            .transpose()
            .map_err(Failure::Usage)?;
        if let Some(from) = self.mail_from {
            crate::jobs::mail::check_sender(&from).map_err(Failure::Usage)?;
            config.mail_from = Some(from);
        }
        let purges = read_fastly(
            &config.policy(),
            self.featurehub_fastly_service,
            self.featurehub_fastly_key,
            self.featurehub_fastly_api,
        )?;
        config.featurehub = FeatureHub {
            fastly: self.featurehub_fastly.unwrap_or(purges.is_some()),
            purges: purges.map(Arc::new),
            cache_control: self.featurehub_cache_control.map(read_header).transpose()?,
            heartbeat: read_seconds("--featurehub-heartbeat", self.featurehub_heartbeat)?,
            drop_after: read_seconds("--featurehub-drop-after", self.featurehub_drop_after)?,
        };
        config.first_admin = first_admin()?;
        Ok(config)
    }
}

/// How a cache of Fastly's is told what has changed. An API elsewhere is one that stands in for Fastly's.
fn read_fastly(
    policy: &Policy,
    service: Option<String>,
    key: Option<String>,
    api: Option<String>,
) -> Result<Option<Fastly>, Failure> {
    let (service, key) = match (service, key) {
        (None, None) => return Ok(None),
        (Some(service), Some(key)) => (service, key),
        _ => {
            return Err(Failure::Usage(
                "give both of --featurehub-fastly-service and --featurehub-fastly-key".into(),
            ));
        }
    };
    if service.is_empty() || !service.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Failure::Usage("--featurehub-fastly-service: must be letters and digits".into()));
    }
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::Usage("--featurehub-fastly-key: must be printable characters".into()));
    }
    let api = api.unwrap_or_else(|| "https://api.fastly.com".into());
    policy.check(&api).map_err(|why| Failure::Usage(format!("--featurehub-fastly-api {api}: {why}")))?;
    let api = api.trim_end_matches('/').to_owned();
    Ok(Some(Fastly { api, service, key: SecretKey(key) }))
}

/// The text of a header.
fn read_header(text: String) -> Result<String, Failure> {
    match !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        true => Ok(text),
        false => Err(Failure::Usage("--featurehub-cache-control: must be text such as max-age=60".into())),
    }
}

/// Up to a day; nothing is 0.
fn read_seconds(name: &str, seconds: Option<u64>) -> Result<Duration, Failure> {
    match seconds.unwrap_or_default() {
        seconds @ 0..=86_400 => Ok(Duration::from_secs(seconds)),
        _ => Err(Failure::Usage(format!("{name}: must be from 0 to 86400"))),
    }
}

/// Networks, or single addresses.
fn networks(option: &str, given: Option<Vec<String>>) -> Result<Vec<IpNet>, Failure> {
    let read = |network: String| {
        let parsed = network.parse().or_else(|_| network.parse::<IpAddr>().map(Into::into));
        parsed
            .map_err(|_| Failure::Usage(format!("{option} {network}: must be a network such as 10.0.0.0/8")))
    };
    given.unwrap_or_default().into_iter().map(read).collect()
}

fn first_admin() -> Result<Option<FirstAdmin>, Failure> {
    match ["USERNAME", "EMAIL", "PASSWORD"].map(|name| variable(&format!("FEATURED_ADMIN_{name}"))) {
        [Some(username), Some(email), Some(password)] => Ok(Some(FirstAdmin { username, email, password })),
        [None, None, None] => Ok(None),
        _ => Err(Failure::Usage(
            "set all of FEATURED_ADMIN_USERNAME, FEATURED_ADMIN_EMAIL, FEATURED_ADMIN_PASSWORD".into(),
        )),
    }
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
