//! `featured serve`: opens the database, listens, and ends well on SIGTERM: stops accepting, ends streams,
//! writes counts, closes the WAL.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::web::Data;

use crate::admin;
use crate::api::featuresd;
use crate::app::App;
use crate::config::Config;
use crate::error::Failure;
use crate::jobs::{Jobs, prepare_counting, webhooks};
use crate::routes;
use crate::socket::Socket;
use crate::statsd::Statsd;
use crate::store;
use crate::store::lock::Lock;

/// How long requests in progress may take once the end has come.
const SHUTDOWN_SECONDS: u64 = 10;

/// Serves until a signal ends it.
pub fn serve(config: Config) -> Result<(), Failure> {
    let listener = listen(&config.listen)?;
    if config.insecure {
        require_loopback(&listener, &config.listen)?;
    }
    let socket = config.socket.as_deref().map(Socket::open).transpose()?;
    let statsd = config.statsd.as_deref().map(Statsd::open).transpose()?;
    let lock = lock(&config)?;
    let app = match App::open(config) {
        Ok(app) => app,
        Err(error) => {
            if let Ok(lock) = lock {
                lock.abandon();
            }
            return Err(error.to_string().into());
        }
    };
    if let Err(error) = &lock {
        tracing::warn!(%error, "no lock beside the database; restore cannot tell that this server runs");
    }
    raise_open_files();
    if let Some(statsd) = statsd {
        app.metrics.send_to(statsd);
    }
    prepare(&app)?;
    if lock.as_ref().is_ok_and(|lock| lock.alone) {
        webhooks::release(&app)?;
    }
    let (served, jobs) = actix_web::rt::System::new()
        .block_on(run(&app, listener, socket.as_ref()))
        .map_err(|error| error.to_string())?;
    jobs.stop();
    tracing::info!("ended");
    Ok(served.map_err(|error| error.to_string())?)
}

/// Fewer open files than this are told of at start.
#[cfg(unix)]
const MIN_OPEN_FILES: u64 = 4096;

/// Each connection is an open file: as many may be open as the system allows.
#[cfg(unix)]
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    if let Some(limit) = getrlimit(Resource::Nofile).current
        && limit < MIN_OPEN_FILES
    {
        tracing::warn!(limit, "few files may be open; each connection needs one (ulimit -n)");
    }
}

#[cfg(not(unix))]
fn raise_open_files() {}

/// Says that a server runs on this file. That the folder takes no lock is no reason not to serve.
fn lock(config: &Config) -> Result<std::io::Result<Lock>, Failure> {
    match store::lock::serve(&config.db) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Err(Failure::Other(format!("{} is being restored", config.db.display())))
        }
        taken => Ok(taken),
    }
}

fn listen(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => {
            Failure::Usage(format!("--listen {address}: must be ADDRESS:PORT, such as 127.0.0.1:8080"))
        }
        ErrorKind::AddrInUse => Failure::Other(format!("{address} is in use by another program")),
        _ => Failure::Other(format!("cannot listen on {address}: {error}")),
    })
}

/// Refuses to serve without tokens where others could reach it.
fn require_loopback(listener: &TcpListener, address: &str) -> Result<(), Failure> {
    let is_loopback = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    if !is_loopback {
        return Err(Failure::Usage(format!(
            "--insecure works on a loopback address alone, such as 127.0.0.1:8080, not on {address}"
        )));
    }
    Ok(())
}

/// The first admin and the demo, where asked for.
fn prepare(app: &Arc<App>) -> Result<(), Failure> {
    prepare_counting(app);
    let lost = admin::two_factor::count_lost(app, &app.store.writer())?;
    if lost > 0 {
        tracing::warn!(
            lost,
            "the key does not open what was sealed: put the key file back, or reset these second factors; \
             what is sealed from now on is under a new key"
        );
    }
    if let Some(first) = &app.config.first_admin
        && admin::users::create_first(app, first)
            .map_err(|error| format!("FEATURED_ADMIN_…: {}", error.explain()))?
    {
        tracing::info!(username = %first.username, "first admin created");
    }
    if app.config.insecure {
        tracing::warn!(
            "--insecure: whoever reaches this address changes the site default, environment dev, without a token"
        );
        admin::sites::require_place(app, featuresd::INSECURE).map_err(|error| error.explain())?;
    }
    if app.config.demo {
        let filled = admin::demo::fill(app).map_err(|error| format!("--demo: {}", error.explain()))?;
        tracing::info!(filled, "demo");
    }
    Ok(())
}

/// Prints the link with which the first admin is made, while there are no users.
fn print_setup_link(app: &App, address: SocketAddr) {
    let link = match admin::sign_in::setup_link(app) {
        Ok(Some(link)) => link,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(error = error.explain(), "no setup link could be made; start again to get one");
            return;
        }
    };
    let base = match &app.config.base_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{address}"),
    };
    let mut stdout = std::io::stdout().lock();
    // Whoever started us may have closed the pipe; that is no reason to end.
    let _ =
        writeln!(stdout, "no users yet: make the first admin at {base}/setup/{link} (works once, for a day)");
}

/// How long clients have the server for themselves at its start, before its jobs begin.
const HEAD_START: Duration = Duration::from_millis(50);

/// How long a connection may stay silent, before its first request and between two.
const IDLE: Duration = Duration::from_secs(75);

/// Serves, with the jobs beside it: how that ended, and the jobs, which go on.
async fn run(
    app: &Arc<App>,
    listener: TcpListener,
    socket: Option<&Socket>,
) -> std::io::Result<(std::io::Result<()>, Jobs)> {
    let data = Data::from(app.clone());
    let address = listener.local_addr()?;
    let server = HttpServer::new(move || routes::service(data.clone()))
        .backlog(4096)
        .keep_alive(IDLE)
        // A browser opens connections before it has anything to ask. One told "408" after the usual 5 seconds shows
        // that instead of the page.
        .client_request_timeout(IDLE)
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .listen(listener)?;
    #[cfg(unix)]
    let server = match socket {
        Some(socket) => server.listen_uds(socket.listener()?)?,
        None => server,
    };
    #[cfg(not(unix))]
    let _ = socket;
    let server = server.run();
    let handle = server.handle();
    // It accepts from the moment it is polled.
    let server = actix_web::rt::spawn(server);
    let ending = app.clone();
    // Heard from here on: whoever reads the line below may send one at once.
    let signal = signal()?;
    actix_web::rt::spawn(async move {
        signal.await;
        tracing::info!("ending");
        ending.live.shut_down();
        handle.stop(true).await;
    });
    let mut stdout = std::io::stdout().lock();
    // Whoever started us may have closed the pipe; that is no reason to end.
    let _ = writeln!(stdout, "listening on http://{address}").and_then(|()| stdout.flush());
    drop(stdout);
    // Once it answers: threads take a while to begin. Whoever waited for the line asks now.
    actix_web::rt::time::sleep(HEAD_START).await;
    let jobs = Jobs::start(app)?;
    let app = app.clone();
    actix_web::rt::task::spawn_blocking(move || print_setup_link(&app, address));
    Ok((server.await.map_err(std::io::Error::other)?, jobs))
}

/// Listens for SIGTERM and SIGINT from now on; what it gives resolves with the first of them.
#[cfg(unix)]
fn signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without it nothing can end the server but force, which is safe.
        let _ = tokio::signal::ctrl_c().await;
    })
}
