//! What the server was told, checked and typed: flag beats variable beats file beats default
//! (native-api "Command line"). [`crate::options`] has them as they were given.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use url::Url;

use crate::net::Policy;

/// When a write counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// A 2xx survives a power cut (`synchronous=FULL`).
    Full,
    /// Faster; a power cut may take the last moments, never the whole (`synchronous=NORMAL`).
    Normal,
}

impl Durability {
    pub fn pragma(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// Which web pages may call the client API (feature-config §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    Any,
    Only(Vec<String>),
}

impl Origins {
    /// Reads `--allowed-origin`: `*`, or origins such as `https://shop.example`.
    pub fn parse(list: &[String]) -> Result<Self, String> {
        if list.iter().any(|origin| origin == "*") {
            return Ok(Self::Any);
        }
        for origin in list {
            let same = Url::parse(origin).map(|url| url.origin().ascii_serialization());
            if same.as_deref() != Ok(origin) {
                return Err(format!(
                    "--allowed-origin {origin}: must be * or an origin such as https://shop.example"
                ));
            }
        }
        Ok(Self::Only(list.to_vec()))
    }
}

/// Everything that can be set. Built by [`crate::options`]; tests begin with [`Config::new`].
#[derive(Clone, Debug)]
pub struct Config {
    pub db: PathBuf,
    pub listen: String,
    /// How the outside reaches this server, without a slash at the end; `None`: as it listens.
    pub base_url: Option<Url>,
    pub dev: bool,
    pub demo: bool,
    pub durability: Durability,
    pub log_format: LogFormat,
    /// How long answers are kept; zero turns the cache off.
    pub cache_ttl: Duration,
    /// After how long a silent stream says that it lives.
    pub heartbeat: Duration,
    /// Requests a minute per environment token; 0: unlimited.
    pub rate_limit: u32,
    pub max_environments: usize,
    /// Stored Contexts an environment may have.
    pub max_contexts: u64,
    pub allowed_origins: Origins,
    pub trusted_proxies: Vec<IpNet>,
    /// How long counts and events are kept.
    pub retention: Duration,
    /// The share of evaluations that is counted, from 0 (none) to 1.
    pub sampling: f64,
    /// What secrets in the database are sealed with; `None`: a key file beside it.
    pub secret_key: Option<SecretKey>,
    /// Where mail goes out; `None`: it stays for admins to see.
    pub smtp_url: Option<Url>,
    /// Certificates in PEM that the mail server may come with, beside the public ones.
    pub smtp_ca: Option<Vec<u8>>,
    /// Whom mail comes from; `None`: made from the host of the base URL.
    pub mail_from: Option<String>,
    /// A Unix socket to serve on as well.
    pub socket: Option<PathBuf>,
    /// Where counters and timers go over UDP, as statsd takes them.
    pub statsd: Option<String>,
    /// Serve featuresd's paths also without their prefix.
    pub featuresd_root: bool,
    /// Serve featuresd's paths without a token, on a loopback address.
    pub insecure: bool,
    /// The server adds the time and these headers to the context of what Flagr's clients ask for; `None`: nothing.
    pub flagr_injected: Option<InjectedHeaders>,
    /// Networks that webhooks may reach though they are not public.
    pub webhook_allow_private: Vec<IpNet>,
    /// Certificates that receivers of webhooks may come with, beside the public ones.
    pub webhook_ca: Vec<CertificateDer<'static>>,
    /// How long a receiver may take for its whole answer.
    pub webhook_timeout: Duration,
    /// Threads that deliver webhooks.
    pub workers: usize,
    /// The first admin, made in an empty database.
    pub first_admin: Option<FirstAdmin>,
    pub featurehub: FeatureHub,
}

/// How the FeatureHub door behaves.
#[derive(Clone, Debug, Default)]
pub struct FeatureHub {
    /// `cache-control` of polled answers; its `max-age` replaces the interval at which clients poll.
    pub cache_control: Option<String>,
    /// A cache of Fastly's stands in front.
    pub fastly: bool,
    /// How that cache is told what has changed; `None`: it is not.
    pub purges: Option<Arc<Fastly>>,
    /// How often streams are sent an `ack`; zero: never.
    pub heartbeat: Duration,
    /// After how long a stream is closed; zero: never.
    pub drop_after: Duration,
}

/// Fastly's own API.
#[derive(Clone, Debug)]
pub struct Fastly {
    /// Its address, without a slash at the end.
    pub api: String,
    pub service: String,
    pub key: SecretKey,
}

/// Which headers of Flagr clients' requests are added to contexts: names in lower case, those that end in `*` stand for all that begin so.
#[derive(Clone, Debug, Default)]
pub struct InjectedHeaders(Vec<String>);

impl InjectedHeaders {
    /// Reads `--flagr-injected-header`. What carries a secret is refused: rules, echoes and counts would show it.
    pub fn parse(list: &[String]) -> Result<Self, String> {
        let read = |name: &String| {
            let name = name.trim().to_ascii_lowercase();
            let stem = name.strip_suffix('*').unwrap_or(&name);
            let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if stem.is_empty() || !stem.bytes().all(known) {
                return Err(format!(
                    "--flagr-injected-header {name}: must be a header such as X-Country or X-Geo-*"
                ));
            }
            let all = name.ends_with('*');
            let secret = |one: &&str| if all { one.starts_with(stem) } else { *one == stem };
            match ["authorization", "proxy-authorization", "cookie", "x-api-key"]
                .iter()
                .find(|one| secret(one))
            {
                Some(secret) => Err(format!("--flagr-injected-header {name}: {secret} carries a secret")),
                None => Ok(name),
            }
        };
        list.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a header of this name, in lower case, is one of them.
    pub fn take(&self, name: &str) -> bool {
        self.0.iter().any(|known| match known.strip_suffix('*') {
            Some(stem) => name.starts_with(stem),
            None => known == name,
        })
    }
}

/// `FEATURED_ADMIN_USERNAME`, `_EMAIL`, `_PASSWORD`.
#[derive(Clone)]
pub struct FirstAdmin {
    pub username: String,
    pub email: String,
    pub password: String,
}

impl std::fmt::Debug for FirstAdmin {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "FirstAdmin({})", self.username)
    }
}

/// A secret, or the text a key is made from; never printed.
#[derive(Clone)]
pub struct SecretKey(pub String);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

impl Config {
    /// The defaults, on this file.
    pub fn new(db: impl Into<PathBuf>) -> Self {
        Self {
            db: db.into(),
            listen: "127.0.0.1:8080".into(),
            base_url: None,
            dev: false,
            demo: false,
            durability: Durability::Full,
            log_format: LogFormat::Text,
            cache_ttl: Duration::from_secs(300),
            heartbeat: Duration::from_secs(15),
            rate_limit: 100,
            max_environments: 10,
            max_contexts: 100_000,
            allowed_origins: Origins::Any,
            trusted_proxies: Vec::new(),
            retention: Duration::from_secs(90 * 24 * 3600),
            sampling: 1.0,
            secret_key: None,
            smtp_url: None,
            smtp_ca: None,
            mail_from: None,
            socket: None,
            statsd: None,
            featuresd_root: false,
            insecure: false,
            flagr_injected: None,
            webhook_allow_private: Vec::new(),
            webhook_ca: Vec::new(),
            webhook_timeout: crate::net::client::TIMEOUT,
            workers: 4,
            first_admin: None,
            featurehub: FeatureHub::default(),
        }
    }

    /// What may be asked of other servers.
    pub fn policy(&self) -> Policy {
        Policy {
            plain: self.dev,
            allowed: self.webhook_allow_private.clone(),
            trusted: self.webhook_ca.clone(),
            timeout: self.webhook_timeout,
        }
    }

    /// Whether this peer may say for whom it speaks (`X-Forwarded-For`).
    pub fn trusts(&self, peer: IpAddr) -> bool {
        // A listener for both kinds of addresses sees 10.0.0.5 as ::ffff:10.0.0.5.
        let plain = peer.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&plain) || network.contains(&peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_trusted_by_the_address_it_has_however_that_is_written() {
        let mut config = Config::new("flags.db");
        config.trusted_proxies = ["10.0.0.0/8", "fd00::/16", "::ffff:192.168.0.0/112"]
            .map(|network| network.parse::<IpNet>().unwrap())
            .into();
        for (peer, trusted) in [
            ("10.0.0.5", true),
            ("::ffff:10.0.0.5", true),
            ("fd00::1", true),
            ("::ffff:192.168.0.9", true),
            ("11.0.0.5", false),
            ("::ffff:11.0.0.5", false),
            ("fd01::1", false),
            ("::10.0.0.5", false),
        ] {
            assert_eq!(config.trusts(peer.parse().unwrap()), trusted, "{peer}");
        }
    }
}
