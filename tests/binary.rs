//! The built binary as a process: commands that end, servers that serve until they are dropped, and what talks to
//! them over HTTP. A server is killed by its own process id, and its log is kept to be shown on failure.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take that should happen at once: enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A site as most tests find it: `shop` with `prod` and `dev`.
pub const SHOP: &str = r#"
version: 1
site: {slug: shop, name: Shop}
segments:
  - {key: staff, name: Staff, conditions: {attribute: email, operator: ends_with, value: "@shop.example"}}
environments:
  - name: prod
    features:
      - key: dark_mode
        type: BOOLEAN
        defaultValue: false
        rules:
          - {name: Staff first, priority: 90, when: {segment: staff}, outcome: {value: true}}
      - {key: greeting, type: STRING, defaultValue: Hello}
      - {key: limit, type: NUMBER, defaultValue: 1.50}
  - name: dev
    features:
      - {key: dark_mode, type: BOOLEAN, defaultValue: true}
"#;

/// Where the environment of most tests is.
pub const PROD: &str = "/api/v1/sites/shop/environments/prod";

/// The binary under test: the one that was built with the tests, or that `FEATURED_BIN` names.
pub fn exe() -> PathBuf {
    std::env::var_os("FEATURED_BIN").map_or_else(|| env!("CARGO_BIN_EXE_featured").into(), PathBuf::from)
}

/// The binary with none of the variables of whoever runs the tests.
pub fn featured<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    clean(Command::new(exe()), args)
}

/// Takes away what would change how the binary behaves.
fn clean<S: AsRef<OsStr>>(mut command: Command, args: impl IntoIterator<Item = S>) -> Command {
    command.args(args).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("FEATURED_") || text == "MAX_ENVIRONMENTS" || text == "RUST_LOG" {
            command.env_remove(&name);
        }
    }
    command
}

/// Tries until it succeeds, or fails with what it waited for.
pub fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What a command did.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn of(mut command: Command) -> Self {
        Self::with_input(&mut command, "")
    }

    /// Runs a command with this on stdin.
    pub fn with_input(command: &mut Command, input: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A copy of the binary is busy for as long as a process forked meanwhile holds it open for writing.
        let mut child = loop {
            match command.spawn() {
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                other => break other.expect("the binary runs"),
            }
        };
        // A command that does not read its input ends without it.
        let _ = child.stdin.take().expect("stdin").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("it ends");
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// What it printed, having succeeded without a complaint.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
        self.stdout
    }

    /// The same as JSON.
    #[track_caller]
    pub fn json(self) -> Value {
        serde_json::from_str(&self.ok()).expect("JSON on stdout")
    }

    /// The one line on stderr of a command that ended with this code.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        let Self { code: ended, stdout, stderr } = self;
        assert_eq!(ended, Some(code), "{stdout}{stderr}");
        let line = stderr.strip_suffix('\n').expect("a line");
        assert!(line.starts_with("featured: ") && !line.contains('\n'), "not one line: {line:?}");
        line["featured: ".len()..].to_owned()
    }
}

/// A folder with a database, and the secrets of who may use it.
pub struct Place {
    folder: TempDir,
    pub db: PathBuf,
    pub secrets: Secrets,
    servers: AtomicUsize,
}

#[derive(Clone, Default)]
pub struct Secrets {
    /// A personal access token of `ana`, an admin.
    pub admin: String,
    /// Tokens of shop/prod without a rate limit.
    pub client: String,
    pub server: String,
}

impl Place {
    /// Without a database yet.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = folder.path().join("flags.db");
        Self { folder, db, secrets: Secrets::default(), servers: AtomicUsize::new(0) }
    }

    /// With [`SHOP`] and the people and programs of [`Secrets`]: made once, copied for each.
    pub fn shop() -> Self {
        static TEMPLATE: OnceLock<(Vec<u8>, Secrets)> = OnceLock::new();
        let (bytes, secrets) = TEMPLATE.get_or_init(|| {
            let place = Self::empty();
            place.import(SHOP);
            place.add_user("ana", "admin").ok();
            let admin = place.personal_token("ana");
            let secrets = Secrets {
                admin,
                client: place.token("prod", "client"),
                server: place.token("prod", "server"),
            };
            assert!(!place.path("flags.db-wal").exists(), "the last command closed the database");
            (std::fs::read(&place.db).expect("the template"), secrets)
        });
        let place = Self { secrets: secrets.clone(), ..Self::empty() };
        std::fs::write(&place.db, bytes).expect("a copy");
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file beside the database.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// A command on this database.
    pub fn featured<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = featured(args);
        command.arg("--db").arg(&self.db).current_dir(self.folder.path());
        command
    }

    /// Runs a command on this database.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ended {
        Ended::of(self.featured(args))
    }

    /// Runs `import -` with this document.
    pub fn import(&self, document: &str) -> String {
        Ended::with_input(&mut self.featured(["import", "-"]), document).ok()
    }

    /// Makes a user with the password `a quiet harbour`.
    pub fn add_user(&self, name: &str, role: &str) -> Ended {
        let email = format!("{name}@shop.example");
        let args = ["user", "add", name, "--email", &email, "--role", role, "--password-stdin"];
        Ended::with_input(&mut self.featured(args), "a quiet harbour\n")
    }

    /// A new personal access token of a user.
    pub fn personal_token(&self, name: &str) -> String {
        self.run(["user", "pat", name, "--description", "tests"]).ok().trim().to_owned()
    }

    /// A new token of an environment of the shop.
    pub fn token(&self, environment: &str, kind: &str) -> String {
        let args = ["token", "add", "--site", "shop", "--env", environment, "--kind", kind];
        let more = ["--rate-limit", "0", "--description", "tests", "--json"];
        text(&self.run(args.iter().chain(&more)).json()["token"])
    }

    /// The database itself, behind the back of those who have it open.
    pub fn open(&self) -> Connection {
        let conn = Connection::open(&self.db).expect("the database");
        conn.busy_timeout(PATIENCE).expect("a timeout");
        conn
    }

    /// One number out of the database.
    pub fn number(&self, sql: &str) -> i64 {
        self.open().query_row(sql, [], |row| row.get(0)).expect(sql)
    }

    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    pub fn serve_with(&self, args: &[&str]) -> Server {
        self.start(self.featured(["serve", "--listen", "127.0.0.1:0"].iter().chain(args)))
    }

    /// Starts a command that serves.
    pub fn start(&self, command: Command) -> Server {
        self.try_start(command).unwrap_or_else(|ended| panic!("it did not start: {ended:?}"))
    }

    /// The same, where it may fail.
    pub fn try_start(&self, mut command: Command) -> Result<Server, Ended> {
        let log = self.path(&format!("server-{}.log", self.servers.fetch_add(1, Ordering::Relaxed)));
        let stderr = std::fs::File::create(&log).expect("a log");
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().expect("the binary runs");
        let stdout = BufReader::new(child.stdout.take().expect("stdout"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let line = lines.recv_timeout(PATIENCE);
        let Ok(url) = line.as_deref().map(|line| line.strip_prefix("listening on ").expect("the line"))
        else {
            let _ = child.kill();
            let code = child.wait().expect("it ends").code();
            let stderr = std::fs::read_to_string(&log).expect("a log");
            return Err(Ended { code, stdout: String::new(), stderr });
        };
        Ok(Server { child: Mutex::new(child), url: url.to_owned(), log, secrets: self.secrets.clone() })
    }
}

/// A string of an answer.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}")).to_owned()
}

/// A server that runs until this is dropped.
pub struct Server {
    child: Mutex<Child>,
    /// `http://127.0.0.1:PORT`
    pub url: String,
    log: PathBuf,
    pub secrets: Secrets,
}

impl Server {
    /// A server that was started otherwise, without a log.
    pub fn adopt(child: Child, url: &str) -> Self {
        Self {
            child: Mutex::new(child),
            url: url.to_owned(),
            log: PathBuf::new(),
            secrets: Secrets::default(),
        }
    }

    /// Stops reading its log, where that is a pipe.
    pub fn close_stderr(&self) {
        drop(self.child().stderr.take());
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().expect("nobody panics while holding it")
    }

    pub fn id(&self) -> u32 {
        self.child().id()
    }

    /// Sends SIGTERM and waits for the end.
    #[cfg(unix)]
    pub fn terminate(&self) -> ExitStatus {
        use rustix::process::{Pid, Signal, kill_process};
        kill_process(Pid::from_child(&self.child()), Signal::TERM).expect("a signal");
        until("the end of the server", || self.child().try_wait().expect("a status"))
    }

    /// `kill -9`
    pub fn kill(&self) {
        let mut child = self.child();
        child.kill().expect("a signal");
        child.wait().expect("a status");
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("a log")
    }

    pub fn anonymous(&self) -> Client {
        Client::new(&self.url, None)
    }

    /// Whoever holds this secret.
    pub fn bearer(&self, secret: &str) -> Client {
        Client::new(&self.url, Some(secret))
    }

    pub fn admin(&self) -> Client {
        self.bearer(&self.secrets.admin)
    }

    pub fn client(&self) -> Client {
        self.bearer(&self.secrets.client)
    }

    /// Opens the stream of shop/prod for this context.
    pub fn stream(&self, context: &str) -> Stream {
        self.client().stream(&stream_path(context))
    }

    /// What shop/prod answers for this context, by key.
    pub fn values(&self, context: Value) -> HashMap<String, Value> {
        let answer =
            self.client().post("/api/v1/evaluate", &serde_json::json!({ "context": context })).expect(200);
        let features = answer["features"].as_object().expect("features");
        features.iter().map(|(key, feature)| (key.clone(), feature["value"].clone())).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(child) = self.child.get_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("the log of {}:\n{}", self.url, std::fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// The path of the stream of shop/prod for this context.
pub fn stream_path(context: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("context", context).finish();
    format!("{PROD}/stream?{query}")
}

/// Somebody who asks a server.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    url: String,
    secret: Option<String>,
}

/// A status, headers and a body, which is null where it is no JSON.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Reply {
    /// The body of an answer with this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Client {
    fn new(url: &str, secret: Option<&str>) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .proxy(None)
            .build()
            .new_agent();
        Self { agent, url: url.to_owned(), secret: secret.map(str::to_owned) }
    }

    /// Asks; `Err` when the server is not there or goes away.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Reply, ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(secret) = &self.secret {
            request = request.header("authorization", format!("Bearer {secret}"));
        }
        let request = match body {
            Some(_) => request.header("content-type", "application/json"),
            None => request,
        };
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let mut response = self.agent.run(request.body(body).expect("a request"))?;
        let text = response.body_mut().with_config().limit(1 << 30).read_to_string()?;
        Ok(Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        })
    }

    #[track_caller]
    fn asked(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        self.ask(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.asked("GET", path, None)
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.asked("POST", path, Some(body))
    }

    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Reply {
        self.asked("PATCH", path, Some(body))
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Reply {
        self.asked("DELETE", path, None)
    }

    /// Opens a stream.
    #[track_caller]
    pub fn stream(&self, path: &str) -> Stream {
        self.stream_with(path, &[])
    }

    /// The same with more headers. The answer must be 200.
    #[track_caller]
    pub fn stream_with(&self, path: &str, headers: &[(&str, &str)]) -> Stream {
        let socket = self.request_stream(path, headers);
        let mut body = BufReader::new(socket.try_clone().expect("a socket"));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(body.read_line(&mut head).expect("a head") > 0, "no head: {head}");
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let (sender, frames) = channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(Dechunked { body, left: 0 });
            while let Some(frame) = read_frame(&mut lines) {
                if sender.send(frame).is_err() {
                    return;
                }
            }
        });
        Stream { frames, socket, head }
    }

    /// Asks for a stream and reads nothing.
    pub fn request_stream(&self, path: &str, headers: &[(&str, &str)]) -> TcpStream {
        let host = self.url.strip_prefix("http://").expect("a URL");
        let mut socket = TcpStream::connect(host).expect("a connection");
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n");
        if let Some(secret) = &self.secret {
            request += &format!("Authorization: Bearer {secret}\r\n");
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        socket.write_all((request + "\r\n").as_bytes()).expect("a request");
        socket
    }
}

/// A body without its chunk sizes (RFC 9112 §7.1).
struct Dechunked {
    body: BufReader<TcpStream>,
    left: usize,
}

impl Read for Dechunked {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            let mut line = String::new();
            self.body.read_line(&mut line)?;
            self.left = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
            if self.left == 0 {
                return Ok(0);
            }
            // The line end behind the data belongs to the chunk.
            self.left += 2;
        }
        let data = self.left - 2;
        if data == 0 {
            self.body.read_exact(&mut [0; 2])?;
            self.left = 0;
            return self.read(buffer);
        }
        let wanted = buffer.len().min(data);
        let got = self.body.read(&mut buffer[..wanted])?;
        self.left -= got;
        Ok(got)
    }
}

/// What a stream says.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    Event { name: String, id: Option<u64>, data: Value },
    Comment(String),
}

/// One frame: lines up to an empty one. `None` at the end of the stream.
fn read_frame(lines: &mut impl BufRead) -> Option<Frame> {
    let (mut name, mut id, mut data, mut comment) = (String::new(), None, String::new(), None);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end_matches('\n').split_once(": ") {
            Some(("", text)) => comment = Some(text.to_owned()),
            Some(("event", text)) => name = text.into(),
            Some(("id", text)) => id = Some(text.parse().expect("a revision")),
            Some(("data", text)) => data = text.into(),
            Some(_) => {}
            None if line != "\n" => {}
            None if name.is_empty() => match comment {
                Some(comment) => return Some(Frame::Comment(comment)),
                None => continue,
            },
            None => return Some(Frame::Event { name, id, data: serde_json::from_str(&data).expect("JSON") }),
        }
    }
}

/// An open stream; closed when dropped.
pub struct Stream {
    frames: Receiver<Frame>,
    socket: TcpStream,
    pub head: String,
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

/// An event, as tests look at it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub name: String,
    pub id: Option<u64>,
    pub data: Value,
}

impl Event {
    /// The values of its features, by key.
    pub fn values(&self) -> HashMap<String, Value> {
        let features = self.data["features"].as_object().unwrap_or_else(|| panic!("no features: {self:?}"));
        features.iter().map(|(key, feature)| (key.clone(), feature["value"].clone())).collect()
    }
}

impl Stream {
    /// The next frame; `None` when the stream has ended.
    pub fn frame(&self) -> Option<Frame> {
        self.frame_within(PATIENCE).unwrap_or_else(|| panic!("the stream is silent"))
    }

    /// The next frame or the end, if either comes in time.
    pub fn frame_within(&self, time: Duration) -> Option<Option<Frame>> {
        match self.frames.recv_timeout(time) {
            Ok(frame) => Some(Some(frame)),
            Err(RecvTimeoutError::Disconnected) => Some(None),
            Err(RecvTimeoutError::Timeout) => None,
        }
    }

    /// The next event, past comments.
    #[track_caller]
    pub fn next(&self) -> Event {
        loop {
            match self.frame() {
                Some(Frame::Event { name, id, data }) => return Event { name, id, data },
                Some(Frame::Comment(_)) => {}
                None => panic!("the stream has ended"),
            }
        }
    }

    /// The next event, which must be of this name.
    #[track_caller]
    pub fn expect(&self, name: &str) -> Event {
        let event = self.next();
        assert_eq!(event.name, name, "{event:?}");
        event
    }

    /// Waits for the end, past everything that still comes.
    pub fn end(&self) {
        while self.frame().is_some() {}
    }
}

/// Whether a file is there and holds something.
pub fn holds_something(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
}
