//! What the ratios are against: an actix server with one worker that reads the body and answers ready-made
//! bytes, and the smallest durable SQLite transaction.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use actix_web::http::header::{ContentType, ETAG};
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use rusqlite::Connection;

use crate::Outcome;

/// `load bare SIZE…`: `POST` and `GET /fixed/N` answer the Nth size, `GET /304` answers 304.
pub fn serve(sizes: &[usize]) -> Outcome<()> {
    let bodies: Vec<Bytes> = sizes.iter().map(|size| Bytes::from(vec![b'x'; *size])).collect();
    let server = HttpServer::new(move || {
        let mut app = App::new().route("/304", web::get().to(not_modified));
        for (at, body) in bodies.iter().enumerate() {
            let body = body.clone();
            let answer = move |_: Bytes| {
                let body = body.clone();
                async move { HttpResponse::Ok().content_type(ContentType::json()).body(body) }
            };
            let path = format!("/fixed/{at}");
            app = app.route(&path, web::post().to(answer.clone())).route(&path, web::get().to(answer));
        }
        app
    })
    .workers(1)
    .backlog(4096)
    .bind("127.0.0.1:0")?;
    println!("listening on http://{}", server.addrs()[0]);
    std::io::stdout().flush()?;
    actix_web::rt::System::new().block_on(server.run())?;
    Ok(())
}

async fn not_modified(_: HttpRequest) -> HttpResponse {
    HttpResponse::NotModified().insert_header((ETAG, "\"1\"")).finish()
}

/// `load sqlite FILE MILLIS`: prints, for every line it is sent, how many single-row transactions a second the
/// disk allows. The settings are those of the server's writer; a row is 500 bytes.
pub fn transactions(file: &Path, time: Duration) -> Outcome<()> {
    let conn = Connection::open(file)?;
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;",
    )?;
    let mut insert = conn.prepare("INSERT INTO rows (text) VALUES (?1)")?;
    let text = "x".repeat(500);
    // Until the WAL has its full length once, each transaction also makes the file longer.
    for _ in 0..1500 {
        insert.execute([&text])?;
    }
    for line in std::io::stdin().lines() {
        line?;
        let started = Instant::now();
        let mut count = 0_u32;
        while started.elapsed() < time {
            insert.execute([&text])?;
            count += 1;
        }
        println!("{}", f64::from(count) / started.elapsed().as_secs_f64());
    }
    Ok(())
}
