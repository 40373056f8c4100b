//! `/events`: tells open pages that something changed, so that they ask for themselves again. It carries no data:
//! what a page may show is decided where the page is made.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::failure::Failure;
use crate::app::App;
use crate::auth::browser::{COOKIE, Signed};
use crate::live::credentials::hash;
use crate::store;

/// Changes that follow each other closer than this are told once.
const CALM: Duration = Duration::from_millis(300);
/// Told at least so often: figures that no change moves, such as open streams, stay true.
const EVERY: Duration = Duration::from_secs(15);

struct Follower {
    app: Data<App>,
    session: [u8; 32],
    changes: watch::Receiver<u64>,
    ending: watch::Receiver<bool>,
    first: bool,
}

impl Follower {
    /// The next event; none when the server or the session ends.
    async fn next(&mut self) -> Option<Bytes> {
        if self.first {
            self.first = false;
            return Some(Bytes::from_static(b"retry: 3000\n: following\n\n"));
        }
        let until = Instant::now() + EVERY;
        tokio::select! {
            changed = self.changes.changed() => {
                changed.ok()?;
                sleep(CALM).await;
                self.changes.borrow_and_update();
            }
            () = sleep_until(until) => {}
            _ = self.ending.changed() => return None,
        }
        let (app, session) = (self.app.clone(), self.session);
        let found =
            super::block(move || app.read(|conn| store::sessions::find(conn, &session, app.now()))).await;
        // A page whose session is over learns that by asking; this must not go on for it.
        found.ok().flatten()?;
        Some(Bytes::from_static(b"event: changed\ndata: 1\n\n"))
    }
}

/// `GET /events`.
pub async fn follow(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let _ = signed;
    let cookie = req.cookie(COOKIE).map(|cookie| hash(cookie.value()));
    let Some(session) = cookie else { return Err(Failure::SignIn("/".into())) };
    let follower =
        Follower { changes: app.live.changes(), ending: app.live.ending(), app, session, first: true };
    let events = futures_util::stream::unfold(follower, |mut follower| async move {
        follower.next().await.map(|bytes| (Ok::<_, actix_web::Error>(bytes), follower))
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(events))
}
