//! `featured serve`: opens the database, listens, and ends well on SIGTERM: stops accepting, ends streams,
//! writes counts, closes the WAL.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{App as ActixApp, HttpServer, middleware};

use crate::admin;
use crate::app::App;
use crate::config::Config;
use crate::jobs::Jobs;
use crate::{error, routes};

/// How long requests in progress may take once the end has come.
const SHUTDOWN_SECONDS: u64 = 10;

/// Why the server could not start or go on, as one line.
pub type Failure = String;

/// Serves until a signal ends it.
pub fn serve(config: Config) -> Result<(), Failure> {
    let listener = TcpListener::bind(&config.listen).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => format!("{} is in use by another program", config.listen),
        _ => format!("cannot listen on {}: {error}", config.listen),
    })?;
    let app = App::open(config).map_err(|error| error.to_string())?;
    prepare(&app)?;
    let jobs = Jobs::start(&app).map_err(|error| format!("cannot start a thread: {error}"))?;
    let served = actix_web::rt::System::new().block_on(run(&app, listener));
    jobs.stop();
    tracing::info!("ended");
    served.map_err(|error| error.to_string())
}

/// The first admin and the demo, where asked for.
fn prepare(app: &Arc<App>) -> Result<(), Failure> {
    let lost = admin::two_factor::count_lost(app).map_err(|error| explain(&error))?;
    if lost > 0 {
        tracing::warn!(
            lost,
            "the key does not open what was sealed: put the key file back, or reset these second factors; \
             what is sealed from now on is under a new key"
        );
    }
    if let Some(first) = &app.config.first_admin
        && admin::users::create_first(app, first)
            .map_err(|error| format!("FEATURED_ADMIN_…: {}", explain(&error)))?
    {
        tracing::info!(username = %first.username, "first admin created");
    }
    if app.config.demo {
        let filled = admin::demo::fill(app).map_err(|error| format!("--demo: {}", explain(&error)))?;
        tracing::info!(filled, "demo");
    }
    Ok(())
}

/// Prints the link with which the first admin is made, while there are no users.
fn print_setup_link(app: &App, address: &str) -> std::io::Result<()> {
    let link = match admin::sign_in::setup_link(app) {
        Ok(Some(link)) => link,
        Ok(None) => return Ok(()),
        Err(error) => return Err(std::io::Error::other(explain(&error))),
    };
    let base = match &app.config.base_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{address}"),
    };
    let mut stdout = std::io::stdout().lock();
    // Whoever started us may have closed the pipe; that is no reason to end.
    let _ =
        writeln!(stdout, "no users yet: make the first admin at {base}/setup/{link} (works once, for a day)");
    Ok(())
}

/// An error as one line for the person at the terminal.
pub fn explain(error: &error::Error) -> String {
    match error {
        error::Error::Internal(inner) => inner.to_string(),
        error::Error::Invalid(fields) | error::Error::UnknownField(fields) => {
            let lines: Vec<_> = fields.iter().map(|f| format!("{} {}", f.field, f.message)).collect();
            lines.join("; ")
        }
        other => other.to_string(),
    }
}

async fn run(app: &Arc<App>, listener: TcpListener) -> std::io::Result<()> {
    let data = Data::from(app.clone());
    let address = listener.local_addr()?;
    let server = HttpServer::new(move || {
        ActixApp::new()
            .app_data(data.clone())
            .wrap(middleware::from_fn(routes::around))
            .configure(routes::configure)
    })
    .backlog(4096)
    .keep_alive(Duration::from_secs(75))
    .disable_signals()
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .listen(listener)?
    .run();
    let handle = server.handle();
    let ending = app.clone();
    actix_web::rt::spawn(async move {
        signal().await;
        tracing::info!("ending");
        ending.live.shut_down();
        handle.stop(true).await;
    });
    let mut stdout = std::io::stdout().lock();
    // Whoever started us may have closed the pipe; that is no reason to end.
    let _ = writeln!(stdout, "listening on http://{address}").and_then(|()| stdout.flush());
    drop(stdout);
    print_setup_link(app, &address.to_string())?;
    server.await
}

/// Resolves on SIGTERM or SIGINT.
async fn signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be heard");
                let _ = interrupt.await;
            }
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
}
