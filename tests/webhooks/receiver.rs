//! A receiver on loopback that does as it is told: answers, hangs, drips, dies. In the clear or over TLS.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// Of the request, such as `/hook`.
    pub path: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn id(&self) -> String {
        self.header("x-webhook-id").expect("an id").to_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// What it does with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Do {
    /// Answers with this status.
    Answer(u16),
    /// Answers 200 with far too much, and markup in it.
    Babble,
    /// Answers 404 with the path that was asked, in headers and body.
    Echo,
    /// 302 to another receiver, by port.
    Redirect(u16),
    /// Says nothing until the other side goes.
    Hang,
    /// Sends its answer so slowly that it never ends.
    Drip,
    /// Begins an answer with this status, and closes the connection in the midst of its body.
    Half(u16),
    /// The same, but holds the connection open.
    Hold(u16),
    /// Closes the connection.
    Die,
}

/// See the module. Runs until the test ends.
#[derive(Clone)]
pub struct Receiver {
    pub port: u16,
    scheme: &'static str,
    received: Arc<Mutex<Vec<Received>>>,
    ids: Arc<Mutex<HashSet<String>>>,
}

impl Receiver {
    /// One that always does the same.
    pub fn that(does: Do) -> Self {
        Self::new(move |_, _| does)
    }

    /// One that decides by the request and by how many came before.
    pub fn new(decide: impl Fn(&Received, usize) -> Do + Send + Sync + 'static) -> Self {
        Self::start(None, decide)
    }

    /// One that answers 200 over TLS.
    pub fn secure(config: Arc<ServerConfig>) -> Self {
        Self::start(Some(config), |_, _| Do::Answer(200))
    }

    fn start(
        tls: Option<Arc<ServerConfig>>,
        decide: impl Fn(&Received, usize) -> Do + Send + Sync + 'static,
    ) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (received, ids) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(HashSet::new())));
        let (kept, seen, decide) = (received.clone(), ids.clone(), Arc::new(decide));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, seen, decide) = (kept.clone(), seen.clone(), decide.clone());
                let tls = tls.clone();
                std::thread::spawn(move || match tls {
                    None => serve(stream, &kept, &seen, &*decide),
                    Some(config) => {
                        let connection = ServerConnection::new(config).expect("a connection");
                        serve(StreamOwned::new(connection, stream), &kept, &seen, &*decide);
                    }
                });
            }
        });
        Self { port, scheme, received, ids }
    }

    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}/hook", self.scheme, self.port)
    }

    /// Everything that arrived, in order.
    pub fn all(&self) -> Vec<Received> {
        self.received.lock().expect("nobody panics").clone()
    }

    /// How many different events arrived.
    pub fn events(&self) -> usize {
        self.ids.lock().expect("nobody panics").len()
    }

    pub fn count(&self) -> usize {
        self.received.lock().expect("nobody panics").len()
    }
}

fn serve(
    mut stream: impl Read + Write,
    kept: &Mutex<Vec<Received>>,
    seen: &Mutex<HashSet<String>>,
    decide: &(dyn Fn(&Received, usize) -> Do + Send + Sync),
) {
    let Some(received) = read(&mut stream) else { return };
    let mut path = String::new();
    let does = {
        let mut all = kept.lock().expect("nobody panics");
        let does = decide(&received, all.len());
        path.clone_from(&received.path);
        seen.lock().expect("nobody panics").extend(received.header("x-webhook-id").map(str::to_owned));
        all.push(received);
        does
    };
    let answer = |status: u16, more: &str| {
        format!("HTTP/1.1 {status} X\r\n{more}content-length: 2\r\nconnection: close\r\n\r\n{{}}")
    };
    // Whoever gave up does not hear the answer.
    match does {
        Do::Answer(status) => drop(stream.write_all(answer(status, "").as_bytes())),
        Do::Redirect(port) => {
            let location = format!("location: http://127.0.0.1:{port}/\r\n");
            drop(stream.write_all(answer(302, &location).as_bytes()));
        }
        Do::Echo => {
            let body = format!("Cannot POST {path}");
            let head = format!(
                "HTTP/1.1 404 X\r\nlocation: {path}/\r\nset-cookie: at={path}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            drop(stream.write_all(format!("{head}{body}").as_bytes()));
        }
        Do::Babble => {
            let body = "<b>&".repeat(5000);
            let head =
                format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            drop(stream.write_all(format!("{head}{body}").as_bytes()));
        }
        Do::Hang => drop(stream.read(&mut [0; 1])),
        Do::Drip => {
            for byte in answer(200, "").into_bytes() {
                if stream.write_all(&[byte]).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_secs(1));
            }
        }
        Do::Half(status) | Do::Hold(status) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 100\r\n"
            );
            drop(stream.write_all(format!("{head}\r\nshort").as_bytes()));
            if matches!(does, Do::Hold(_)) {
                drop(stream.read(&mut [0; 1]));
            }
        }
        Do::Die => {}
    }
}

fn read(stream: &mut impl Read) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let path = head.split(' ').nth(1)?.to_owned();
            let headers: Vec<(String, String)> = head
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let mut received = Received { path, headers, body: String::new() };
            let length: usize = received.header("content-length")?.parse().ok()?;
            if bytes.len() >= end + 4 + length {
                received.body = String::from_utf8(bytes[end + 4..].to_vec()).expect("UTF-8");
                return Some(received);
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
