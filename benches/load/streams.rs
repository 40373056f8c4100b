//! Many open streams of FeatureHub's kind: what one costs in memory, and how long until the last of them hears of a
//! change. Against a bare actix server that broadcasts ready-made bytes.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio::task::LocalSet;

use crate::Outcome;
use crate::client;
use crate::server::Server;

/// Connections that are being opened at the same time.
const OPENING: usize = 128;
/// Longer than this nobody waits for a stream to open or to hear of a change.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a number of streams came to.
pub struct Streams {
    /// Kilobytes (10^3 bytes) of resident memory for each.
    pub kilobytes: f64,
    /// Milliseconds from sending a change until the last stream heard of it, for each change.
    pub last_heard: Vec<f64>,
}

/// Lets this process, and those it starts, have as many files open as the system allows; how many that is.
pub fn raise_open_files() -> Outcome<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// Opens streams, each by the request for its number, and makes changes. A stream is open once `first` has come, and
/// has heard of a change when `heard` comes once more.
pub fn run(
    server: &Server,
    count: usize,
    request: impl Fn(usize) -> String + 'static,
    (first, heard): (&'static str, &'static str),
    changes: &[String],
) -> Outcome<Streams> {
    let address = server.address;
    let before = server.memory()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async move {
        let (opened, mut is_open) = mpsc::unbounded_channel();
        let (tell, mut told) = mpsc::unbounded_channel();
        let opening = Rc::new(Semaphore::new(OPENING));
        for number in 0..count {
            let (request, opened, tell) = (request(number), opened.clone(), tell.clone());
            let opening = opening.clone();
            tokio::task::spawn_local(async move {
                if let Err(error) = follow(address, request, (first, heard), (&opening, &opened, &tell)).await
                {
                    let _ = opened.send(Some(error.to_string()));
                }
            });
        }
        for number in 0..count {
            match tokio::time::timeout(PATIENCE, is_open.recv()).await {
                Ok(Some(None)) => {}
                Ok(Some(Some(error))) => return Err(format!("stream {number}: {error}").into()),
                _ => return Err(format!("only {number} of {count} streams opened").into()),
            }
        }
        // What was needed only for opening is given back, or not.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let kilobytes = (server.memory()? - before) * 1000.0 / count as f64;
        let mut last_heard = Vec::new();
        for change in changes {
            let began = Instant::now();
            let mut connection = TcpStream::connect(address).await?;
            connection.write_all(change.as_bytes()).await?;
            for number in 0..count {
                if tokio::time::timeout(PATIENCE, told.recv()).await.is_err() {
                    return Err(format!("only {number} of {count} streams heard of a change").into());
                }
            }
            last_heard.push(began.elapsed().as_secs_f64() * 1000.0);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        Ok(Streams { kilobytes, last_heard })
    })
}

type Opened = mpsc::UnboundedSender<Option<String>>;

async fn follow(
    address: SocketAddr,
    request: String,
    (first, heard): (&str, &str),
    (opening, opened, tell): (&Semaphore, &Opened, &mpsc::UnboundedSender<()>),
) -> Outcome<()> {
    let permit = opening.acquire().await?;
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = vec![0; 16 << 10];
    let mut tail = Vec::new();
    let mut wanted = first.as_bytes();
    let mut permit = Some(permit);
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Err("the server closed a stream".into()),
            read => tail.extend_from_slice(&buffer[..read]),
        }
        while let Some(at) = find(&tail, wanted) {
            tail.drain(..at + wanted.len());
            match permit.take() {
                Some(_) => {
                    wanted = heard.as_bytes();
                    opened.send(None)?;
                    buffer = vec![0; 1 << 10];
                }
                None => tell.send(())?,
            }
        }
        // A marker may be cut in two.
        let kept = tail.len().saturating_sub(wanted.len());
        tail.drain(..kept);
        tail.shrink_to(64);
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// `load broadcast`: `GET /stream` opens one, `POST /change` sends everybody the same bytes.
pub fn broadcast() -> Outcome<()> {
    let (sender, _) = broadcast::channel::<Bytes>(16);
    let sender = Data::new(sender);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(sender.clone())
            .route("/healthz", web::get().to(async || "ok"))
            .route("/stream", web::get().to(open))
            .route("/change", web::post().to(change))
    })
    .workers(1)
    .backlog(4096)
    .bind("127.0.0.1:0")?;
    println!("listening on http://{}", server.addrs()[0]);
    std::io::stdout().flush()?;
    actix_web::rt::System::new().block_on(server.run())?;
    Ok(())
}

async fn open(sender: Data<broadcast::Sender<Bytes>>) -> HttpResponse {
    let first = Bytes::from_static(b"event: features\ndata: []\n\n");
    let body =
        futures_util::stream::unfold((sender.subscribe(), Some(first)), |(mut receiver, first)| async {
            let bytes = match first {
                Some(first) => first,
                None => receiver.recv().await.ok()?,
            };
            Some((Ok::<Bytes, actix_web::Error>(bytes), (receiver, None)))
        });
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/event-stream")).streaming(body)
}

async fn change(sender: Data<broadcast::Sender<Bytes>>) -> HttpResponse {
    let event = format!("event: feature\ndata: {{\"key\":\"{}\"}}\n\n", "x".repeat(150));
    let _ = sender.send(event.into());
    HttpResponse::Ok().finish()
}

/// Starts the broadcaster and measures it.
pub fn bare(program: &Path, count: usize, changes: usize) -> Outcome<Streams> {
    let mut command = Command::new(program);
    command.arg("broadcast");
    let server = Server::start(command)?;
    client::ask(server.address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let change = "POST /change HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".to_owned();
    let request = |_| "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned();
    run(&server, count, request, ("event: features\n", "event: feature\n"), &vec![change; changes])
}
