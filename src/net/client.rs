//! The HTTP client of this server. A name is looked up once, every address it has is checked, and only a checked
//! one is connected to, so that a name which changes its mind in between (DNS rebinding) gains nothing. Redirects are
//! not followed, answers are cut off at a size, and everything together takes a limited time.

use std::fmt;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use ureq::Agent;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Connector, NextTimeout, TcpConnector};
use url::{Host, Url};

use super::{address, tls};

/// How long a request may take from the look-up to the last byte of the answer, unless it is told otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Addresses of one name that are looked at.
const MAX_ADDRESSES: usize = 16;
/// Longest URL that is taken.
const MAX_URL: usize = 2048;

/// What may be asked, and how.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Also `http://` (`--dev`).
    pub plain: bool,
    /// Networks that may be asked though they are not public (`--webhook-allow-private`).
    pub allowed: Vec<IpNet>,
    /// Certificates that are trusted beside the public ones (`--webhook-ca-file`).
    pub trusted: Vec<CertificateDer<'static>>,
    /// How long a request may take from the look-up to the last byte of the answer (`--webhook-timeout`).
    pub timeout: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { plain: false, allowed: Vec::new(), trusted: Vec::new(), timeout: TIMEOUT }
    }
}

impl Policy {
    /// Reads a URL and refuses what would never be asked: other schemes, a password inside, an address of our own
    /// network. Names are looked up when they are asked, and refused then.
    pub fn check(&self, text: &str) -> Result<Url, String> {
        let text = text.trim();
        if text.len() > MAX_URL {
            return Err(format!("must be at most {MAX_URL} characters"));
        }
        let url =
            Url::parse(text).map_err(|_| "must be a URL such as https://hooks.example/flags".to_owned())?;
        match url.scheme() {
            "https" => {}
            "http" if self.plain => {}
            _ => return Err("must begin with https://".into()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must hold no user name or password".into());
        }
        if url.fragment().is_some() {
            return Err("must hold no #".into());
        }
        let literal = match url.host() {
            Some(Host::Ipv4(v4)) => Some(IpAddr::from(v4)),
            Some(Host::Ipv6(v6)) => Some(IpAddr::from(v6)),
            Some(Host::Domain(name)) if !name.is_empty() => None,
            _ => return Err("must name a host".into()),
        };
        match literal.and_then(|address| address::refused(address, &self.allowed)) {
            Some(kind) => Err(format!("leads to an address that is not public ({kind})")),
            None => Ok(url),
        }
    }
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It was not asked: the address is one of our own network, or not HTTPS.
    Refused(String),
    /// It was asked, or could not be reached.
    Failed(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Refused(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// There was, or should have been, more of the body than this.
    pub cut: bool,
    /// Why the body did not come to its end.
    pub broken: Option<Failure>,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Finds the addresses of a host and port.
pub type Lookup = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    policy: Policy,
    agent: Agent,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Client({:?})", self.policy)
    }
}

impl Client {
    /// A client that asks the system for addresses.
    pub fn new(policy: Policy) -> Self {
        Self::with_lookup(policy, Arc::new(|host, port| Ok((host, port).to_socket_addrs()?.collect())))
    }

    /// The same with another way to find addresses.
    pub fn with_lookup(policy: Policy, lookup: Lookup) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(!policy.plain)
            .proxy(None)
            .max_redirects(0)
            // A connection serves one request: nothing is sent over one that the other side is about to close.
            .max_idle_connections(0)
            .max_response_header_size(16 * 1024)
            .timeout_global(Some(policy.timeout))
            .timeout_connect(Some(CONNECT_TIMEOUT.min(policy.timeout)))
            .timeout_resolve(Some(RESOLVE_TIMEOUT.min(policy.timeout)))
            .user_agent(concat!("featured/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = Checked { allowed: policy.allowed.clone(), lookup };
        let connector = ().chain(TcpConnector::default()).chain(tls::Secure::trusting(&policy.trusted));
        Self { policy, agent: Agent::with_parts(config, connector, resolver) }
    }

    /// What it may ask.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Sends a body. Of the answer's body, `limit` bytes are kept, or what came of it: with its status it is an answer.
    pub fn post(
        &self,
        url: &str,
        headers: &[(String, String)],
        body: &[u8],
        limit: u64,
    ) -> Result<Answer, Failure> {
        let url = self.policy.check(url).map_err(Failure::Refused)?;
        let mut request = self.agent.post(url.as_str());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.answer(request.send(body), limit)
    }

    /// Fetches something. A body that is longer than `limit` bytes, or not whole, is a failure.
    pub fn get(&self, url: &str, limit: u64) -> Result<Answer, Failure> {
        let url = self.policy.check(url).map_err(Failure::Refused)?;
        let mut answer = self.answer(self.agent.get(url.as_str()).call(), limit)?;
        if let Some(failure) = answer.broken.take() {
            return Err(failure);
        }
        match answer.cut {
            true => Err(Failure::Failed(format!("the answer is larger than {limit} bytes"))),
            false => Ok(answer),
        }
    }

    fn answer(
        &self,
        result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
        limit: u64,
    ) -> Result<Answer, Failure> {
        let failure = |error| failure(error, self.policy.timeout);
        let response = result.map_err(failure)?;
        let (head, body) = response.into_parts();
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let mut bytes = Vec::new();
        let mut reader = body.into_reader().take(limit.saturating_add(1));
        let broken = reader.read_to_end(&mut bytes).err().map(|error| failure(ureq::Error::from(error)));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let cut = broken.is_some() || bytes.len() > limit;
        bytes.truncate(limit);
        Ok(Answer { status: head.status.as_u16(), headers, body: bytes, cut, broken })
    }
}

fn failure(error: ureq::Error, timeout: Duration) -> Failure {
    let words = match error {
        ureq::Error::Other(inner) => match inner.downcast::<Refused>() {
            Ok(refused) => return Failure::Refused(refused.0),
            Err(other) => other.to_string(),
        },
        ureq::Error::Timeout(ureq::Timeout::Resolve) => "the name could not be looked up in time".into(),
        ureq::Error::Timeout(ureq::Timeout::Connect) => "no connection in time".into(),
        ureq::Error::Timeout(_) => format!("no whole answer within {} s", timeout.as_secs()),
        ureq::Error::HostNotFound => "the name has no address".into(),
        ureq::Error::Io(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => "the connection was refused".into(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
                "the connection was closed before a whole answer".into()
            }
            _ => error.to_string(),
        },
        other => other.to_string(),
    };
    Failure::Failed(words)
}

/// An address that may not be asked, as an error on its way through the HTTP library.
#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// Gives the addresses that are connected to: all of a name, or none if one of them is not public.
struct Checked {
    allowed: Vec<IpNet>,
    lookup: Lookup,
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Checked")
    }
}

impl Resolver for Checked {
    fn resolve(
        &self,
        uri: &Uri,
        _: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
        let found = match host.parse::<IpAddr>() {
            Ok(literal) => vec![SocketAddr::new(literal, port)],
            Err(_) => {
                // The system's look-up cannot be interrupted; one that takes too long is left behind.
                let (done, found) = sync_channel(1);
                let (lookup, name) = (self.lookup.clone(), host.clone());
                std::thread::Builder::new()
                    .name("lookup".into())
                    .spawn(move || drop(done.send(lookup(&name, port))))?;
                let wait = RESOLVE_TIMEOUT.min(*timeout.after);
                match found.recv_timeout(wait) {
                    Ok(Ok(found)) => found,
                    Ok(Err(_)) => return Err(ureq::Error::HostNotFound),
                    Err(_) => return Err(ureq::Error::Timeout(ureq::Timeout::Resolve)),
                }
            }
        };
        if found.is_empty() {
            return Err(ureq::Error::HostNotFound);
        }
        if let Some((at, kind)) =
            found.iter().find_map(|at| Some((at, address::refused(at.ip(), &self.allowed)?)))
        {
            let words = match host.parse::<IpAddr>() {
                Ok(_) => format!("leads to an address that is not public ({kind})"),
                Err(_) => format!("{host} has the address {}, which is not public ({kind})", at.ip()),
            };
            return Err(ureq::Error::Other(Box::new(Refused(words))));
        }
        let mut checked = self.empty();
        for address in found.into_iter().take(MAX_ADDRESSES) {
            checked.push(address);
        }
        Ok(checked)
    }
}
