//! Measures the built server over HTTP, see `run.sh`. Servers run on core 0, this program on core 1; each
//! figure is the median of short stretches in which featured and its counterpart take turns, so that a busy
//! machine slows both. Beside requests a second it compares CPU time per request, which other programs on
//! the same core disturb less.

mod bare;
mod client;
mod contexts;
mod flags;
mod server;
mod streams;
mod table;

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::rc::Rc;
use std::time::Duration;

use client::{Load, Requests};
use flags::Database;
use server::{Gauge, Server};
use table::{Row, Table};

pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Connections kept open by the load.
const CONNECTIONS: usize = 64;
/// Visitors who come again.
const VISITORS: u64 = 1000;

#[derive(Clone)]
struct Options {
    featured: PathBuf,
    rounds: usize,
    slice: Duration,
    only: String,
    large: bool,
    /// Streams open at the same time; 0: none are measured.
    streams: usize,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["bare", sizes @ ..] => sizes
            .iter()
            .map(|size| size.parse())
            .collect::<Result<Vec<usize>, _>>()
            .map_err(Into::into)
            .and_then(|sizes| bare::serve(&sizes))
            .map(|()| true),
        ["broadcast"] => streams::broadcast().map(|()| true),
        ["sqlite", file, millis] => millis
            .parse()
            .map_err(Into::into)
            .and_then(|millis| bare::transactions(Path::new(file), Duration::from_millis(millis)))
            .map(|()| true),
        words => options(words).and_then(|options| measure(&options)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn options(words: &[&str]) -> Outcome<Options> {
    let mut options = Options {
        featured: PathBuf::from("target/release/featured"),
        rounds: 9,
        slice: Duration::from_millis(700),
        only: String::new(),
        large: false,
        streams: 10_000,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match *word {
            "--server" => options.featured = PathBuf::from(value()?),
            "--rounds" => options.rounds = value()?.parse::<usize>()?.clamp(1, 100),
            "--only" => options.only = (*value()?).to_owned(),
            "--streams" => options.streams = value()?.parse::<usize>()?.min(20_000),
            "--large" => options.large = true,
            other => return Err(format!("{other} is not known; see benches/load/run.sh").into()),
        }
    }
    Ok(options)
}

/// Everything one after the other; whether all bars are met.
fn measure(options: &Options) -> Outcome<bool> {
    let folder = Folder::new()?;
    let mut rows = Table::new(&options.only);
    let database = Database::make(&options.featured, &folder.0, "flags", &[20, 1000])?;
    if rows.wants("start") || rows.wants("idle memory") {
        start_and_memory(options, &database, &mut rows)?;
    }
    requests(options, &database, &mut rows)?;
    flagr(options, &folder.0, &mut rows)?;
    writes(options, &database, &folder.0, &mut rows)?;
    if options.streams > 0 && rows.wants("streams") {
        follow(options, &database, &mut rows)?;
    }
    if rows.wants("Contexts") {
        contexts::measure(options, &folder.0, &mut rows)?;
    }
    if options.large {
        for size in [10_000, 100_000] {
            large(options, &folder.0, size, &mut rows)?;
        }
    }
    Ok(rows.passed())
}

/// A folder that goes away at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Outcome<Self> {
        let path = std::env::temp_dir().join(format!("featured-load-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn serve(options: &Options, file: &Path, words: &[&str]) -> Outcome<Server> {
    let mut command = Command::new(&options.featured);
    command.arg("--db").arg(file).args(["--listen", "127.0.0.1:0"]).args(words);
    Server::start(command)
}

fn start_and_memory(options: &Options, database: &Database, rows: &mut Table) -> Outcome<()> {
    let (mut starts, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let server = serve(options, &database.file, &[])?;
        starts.push(server.start.as_secs_f64() * 1000.0);
        std::thread::sleep(Duration::from_millis(300));
        memory.push(server.memory()?);
    }
    rows.push(Row::at_most("start to the first answer, 1 020 flags", &starts, "ms", Some(20.0)));
    rows.push(Row::at_most("idle memory, 1 020 flags", &memory, "MB", Some(20.0)));
    Ok(())
}

/// A request of the client API.
fn post(path: &str, token: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Evaluations of an environment of that size, by the number of the visitor.
fn evaluations(
    path: &str,
    token: &str,
    size: usize,
    visitor: impl Fn(usize, u64) -> u64 + 'static,
) -> Requests {
    let mut body = String::new();
    flags::evaluation(&mut body, size, 0);
    visits(path, token, &body, visitor)
}

/// The same body for every visitor but for the number of the visitor in it.
fn visits(path: &str, token: &str, body: &str, visitor: impl Fn(usize, u64) -> u64 + 'static) -> Requests {
    // All bodies are equally long, so one is made here and its number replaced there.
    let template = post(path, token, body).into_bytes();
    let zero = b"user-000000000";
    let places: Vec<usize> =
        (0..template.len()).filter(|at| template[*at..].starts_with(zero)).map(|at| at + 5).collect();
    Rc::new(move |connection, sent, out| {
        out.extend_from_slice(&template);
        let mut number = visitor(connection, sent);
        for digit in (0..9).rev() {
            for place in &places {
                out[place + digit] = b'0' + (number % 10) as u8;
            }
            number /= 10;
        }
    })
}

/// One row of the table that compares two servers under load.
struct Pair<'a> {
    what: &'static str,
    featured: (&'a Server, Load),
    bare: (&'a Server, Load),
    bar: Option<f64>,
}

fn load(requests: Requests, status: u16, expect: &'static str) -> Load {
    Load { connections: CONNECTIONS, requests, status, expect }
}

fn requests(options: &Options, database: &Database, rows: &mut Table) -> Outcome<()> {
    let uncached = serve(options, &database.file, &["--cache-ttl", "0"])?;
    let cached = serve(options, &database.file, &["--cache-ttl", "3600"])?;
    let path = "/api/v1/evaluate";
    let [token_20, token_1000] = [&database.tokens[0], &database.tokens[1]];
    let body = |token: &str, size| -> Outcome<usize> {
        let mut body = String::new();
        flags::evaluation(&mut body, size, 1);
        let (status, head, length) = client::ask(uncached.address, post(path, token, &body).as_bytes())?;
        if status == 200 { Ok(length) } else { Err(head.into()) }
    };
    let (small, big) = (body(token_20, 20)?, body(token_1000, 1000)?);
    let polled =
        format!("GET /features?apiKey={} HTTP/1.1\r\nHost: localhost\r\n\r\n", database.featurehub[0]);
    let (status, polled_head, polled_size) = client::ask(uncached.address, polled.as_bytes())?;
    if status != 200 {
        return Err(polled_head.into());
    }
    let single = format!("/ofrep/v1/evaluate/flags/{}", flags::key(3));
    let remote = flags::remote_evaluation();
    let (status, head, one) = client::ask(uncached.address, post(&single, token_20, remote).as_bytes())?;
    if status != 200 {
        return Err(head.into());
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare", &small.to_string(), &big.to_string(), &polled_size.to_string(), &one.to_string()]);
    let bare = Server::start(command)?;

    let get = |path: &str, etag: &str| -> Requests {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token_20}\r\nIf-None-Match: {etag}\r\n\r\n"
        );
        Rc::new(move |_, _, out| out.extend_from_slice(request.as_bytes()))
    };
    let features = "/api/v1/sites/load/environments/20/features?context=%7B%22userId%22%3A%22u%22%7D";
    let mut request = Vec::new();
    get(features, "\"none\"")(0, 0, &mut request);
    let (_, head, _) = client::ask(uncached.address, &request)?;
    let etag = head.lines().find_map(|line| line.strip_prefix("etag: ")).ok_or("no etag")?.to_owned();

    let again = |_, sent| sent % VISITORS;
    let last = Cell::new(VISITORS);
    let new = move |_, _| {
        last.set(last.get() + 1);
        last.get()
    };
    let fixed = |at: usize| load(evaluations(&format!("/fixed/{at}"), token_20, 20, again), 200, "");
    let pairs = [
        Pair {
            what: "POST /evaluate, 20 flags, cache off",
            featured: (&uncached, load(evaluations(path, token_20, 20, again), 200, "x-cache: MISS")),
            bare: (&bare, fixed(0)),
            bar: Some(0.55),
        },
        Pair {
            what: "POST /evaluate, 20 flags, cache on, repeated",
            featured: (&cached, load(evaluations(path, token_20, 20, again), 200, "x-cache: HIT")),
            bare: (&bare, fixed(0)),
            bar: Some(0.85),
        },
        Pair {
            what: "POST /evaluate, 20 flags, cache on, never again",
            featured: (&cached, load(evaluations(path, token_20, 20, new), 200, "x-cache: MISS")),
            bare: (&bare, fixed(0)),
            bar: None,
        },
        Pair {
            what: "POST /evaluate, 1 000 flags, cache off",
            featured: (&uncached, load(evaluations(path, token_1000, 1000, again), 200, "x-cache: MISS")),
            bare: (&bare, fixed(1)),
            bar: Some(0.05),
        },
        Pair {
            what: "POST /evaluate, 1 000 flags, against the small answer",
            featured: (&uncached, load(evaluations(path, token_1000, 1000, again), 200, "x-cache: MISS")),
            bare: (&bare, fixed(0)),
            bar: None,
        },
        Pair {
            what: "OFREP, one flag",
            featured: (&uncached, load(visits(&single, token_20, remote, again), 200, "")),
            bare: (&bare, load(visits("/fixed/3", token_20, remote, again), 200, "")),
            bar: Some(0.65),
        },
        Pair {
            what: "GET …/features, 304",
            featured: (&uncached, load(get(features, &etag), 304, "etag: ")),
            bare: (&bare, load(get("/304", &etag), 304, "")),
            bar: Some(0.75),
        },
    ];
    let polled_etag = polled_head.lines().find_map(|line| line.strip_prefix("etag: ")).ok_or("no etag")?;
    let always =
        |request: String| -> Requests { Rc::new(move |_, _, out| out.extend_from_slice(request.as_bytes())) };
    let again_polled = polled.replacen("\r\n\r\n", &format!("\r\nIf-None-Match: {polled_etag}\r\n\r\n"), 1);
    let bare_polled = "GET /fixed/2 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned();
    let featurehub = [
        Pair {
            what: "GET /features, FeatureHub, client-evaluated",
            featured: (&uncached, load(always(polled), 200, "etag: ")),
            bare: (&bare, load(always(bare_polled), 200, "")),
            bar: Some(0.8),
        },
        Pair {
            what: "GET /features, FeatureHub, 304",
            featured: (&uncached, load(always(again_polled), 304, "etag: ")),
            bare: (&bare, load(get("/304", "\"1\""), 304, "")),
            bar: Some(0.75),
        },
    ];
    // Every visitor's first answer, so that only repeated ones are measured.
    let first = Load { connections: 1, ..load(evaluations(path, token_20, 20, again), 200, "") };
    let mut sent = 0;
    while sent < 2 * VISITORS {
        sent += client::run(cached.address, &first, Duration::from_millis(200))?.answered;
    }
    for pair in pairs.iter().chain(&featurehub).filter(|pair| pair.what.contains(&options.only)) {
        compare(options, pair, rows)?;
    }
    counting(options, database, rows)?;
    rows.push(Row::at_most("memory after the load, cache off", &[uncached.memory()?], "MB", None));
    rows.push(Row::at_most(
        "memory after the load, cache on (64 MiB of answers)",
        &[cached.memory()?],
        "MB",
        None,
    ));
    Ok(())
}

/// What counting costs: the server as it is against one that counts nothing, which takes the place of the bare one.
/// Two equal servers differ by two percent from where their memory happens to lie, so there are several of each.
fn counting(options: &Options, database: &Database, rows: &mut Table) -> Outcome<()> {
    if !rows.wants("analytics on against off") {
        return Ok(());
    }
    let [small, big] = [&database.tokens[0], &database.tokens[1]];
    let cases = [
        ("analytics on against off, 20 flags, cache off", "0", small, 20, "x-cache: MISS"),
        ("analytics on against off, 20 flags, repeated", "3600", small, 20, "x-cache: HIT"),
        ("analytics on against off, 1 000 flags, cache off", "0", big, 1000, "x-cache: MISS"),
    ];
    let again = |_, sent| sent % VISITORS;
    // In short turns: the difference is less than what the machine changes within seconds. Each server lives long
    // enough to write down what it counted.
    let turns = Options { rounds: 3 * options.rounds, slice: options.slice / 10, ..options.clone() };
    for (what, ttl, token, size, expect) in cases.into_iter().filter(|case| case.0.contains(&options.only)) {
        let mut measured = Measured::default();
        for _ in 0..6 {
            let counts = serve(options, &database.file, &["--cache-ttl", ttl])?;
            let silent = serve(options, &database.file, &["--cache-ttl", ttl, "--sampling", "0"])?;
            let load = |expect| load(evaluations("/api/v1/evaluate", token, size, again), 200, expect);
            for server in [&counts, &silent] {
                let first = Load { connections: 1, ..load("") };
                let mut sent = 0;
                while sent < 2 * VISITORS {
                    sent += client::run(server.address, &first, Duration::from_millis(200))?.answered;
                }
            }
            let pair = Pair {
                what,
                featured: (&counts, load(expect)),
                bare: (&silent, load(expect)),
                bar: Some(0.97),
            };
            measured.add(&turns, &pair)?;
        }
        rows.push(measured.row(what, Some(0.97)));
    }
    Ok(())
}

/// Requests by second, and by second of the server's CPU time, of the two servers of a pair.
#[derive(Default)]
struct Measured {
    rates: [Vec<f64>; 2],
    costs: [Vec<f64>; 2],
}

impl Measured {
    /// Measures both in turns.
    fn add(&mut self, options: &Options, pair: &Pair<'_>) -> Outcome<()> {
        for round in 0..options.rounds {
            // Whichever goes first finds a machine that has just done something else: they take turns in that, too.
            for at in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                let (server, load) = [&pair.featured, &pair.bare][at];
                let before = server.cpu()?;
                let rate = client::run(server.address, load, options.slice)?;
                self.rates[at].push(rate.per_second);
                self.costs[at].push(rate.answered as f64 / (server.cpu()? - before).as_secs_f64());
            }
        }
        Ok(())
    }

    fn row(&self, what: &str, bar: Option<f64>) -> Row {
        let row = Row::ratio(what, &self.rates[0], &self.rates[1], bar);
        Row { cpu: table::ratios(&self.costs[0], &self.costs[1]), ..row }
    }
}

fn compare(options: &Options, pair: &Pair<'_>, rows: &mut Table) -> Outcome<()> {
    let mut measured = Measured::default();
    measured.add(options, pair)?;
    rows.push(measured.row(pair.what, pair.bar));
    Ok(())
}

/// FeatureHub's streams: memory for each, and the time until the last hears of a change.
fn follow(options: &Options, database: &Database, rows: &mut Table) -> Outcome<()> {
    let count = options.streams;
    let limit = streams::raise_open_files()?;
    if limit < count as u64 + 100 {
        return Err(
            format!("{count} streams need more open files than the {limit} allowed (ulimit -Hn)").into()
        );
    }
    let bare = streams::bare(&std::env::current_exe()?, count, options.rounds)?;
    rows.push(Row::at_most(
        &format!("{count} bare actix streams, memory of one"),
        &[bare.kilobytes],
        "KB",
        None,
    ));
    rows.push(Row::at_most("the same, last of them hears", &bare.last_heard, "ms", None));
    let bare_heard = table::median(&bare.last_heard);
    let [expressed, evaluated] = &database.featurehub;
    // The first change must be one, after those that were made before.
    let mut value = true;
    // As much slower as 150 and 400 ms are than a bare broadcast of 90 ms, where those bars were set.
    for (what, key, bar) in [
        ("client-evaluated FeatureHub streams", expressed, 1.67),
        ("server-evaluated FeatureHub streams, each for its own user", evaluated, 4.44),
    ] {
        let server = serve(options, &database.file, &[])?;
        let path = format!("/features/{key}");
        let request = move |number: usize| {
            format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\nx-featurehub: userkey=user-{number},country=sweden\r\n\r\n"
            )
        };
        let changes: Vec<String> = (0..options.rounds)
            .map(|_| {
                let body = format!("{{\"defaultValue\":{value}}}");
                value = !value;
                let path = format!("/api/v1/sites/load/environments/20/features/{}", flags::key(0));
                post(&path, &database.person, &body).replacen("POST", "PATCH", 1)
            })
            .collect();
        let measured =
            streams::run(&server, count, request, ("event: features\n", "event: feature\n"), &changes)?;
        let memory = format!("{count} {what}, memory of one");
        rows.push(Row::at_most(&memory, &[measured.kilobytes], "KB", Some(20.0)));
        rows.push(Row::at_most("the same, last of them hears", &measured.last_heard, "ms", None));
        let times: Vec<f64> = measured.last_heard.iter().map(|heard| heard / bare_heard).collect();
        rows.push(Row::at_most("the same, against the bare one", &times, "×", Some(bar)));
    }
    Ok(())
}

/// The Flagr door: one evaluation against the bare server, and what one costs in a batch of 100 entities and 20
/// flags against what it costs alone.
fn flagr(options: &Options, folder: &Path, rows: &mut Table) -> Outcome<()> {
    const ALONE: &str = "POST /flagr/api/v1/evaluation";
    const TOGETHER: &str = "Flagr: one evaluation of a batch of 100 × 20 against one alone, CPU time";
    if ![ALONE, TOGETHER].iter().any(|what| what.contains(&options.only)) {
        return Ok(());
    }
    let database = Database::make(&options.featured, folder, "flagr", &[1])?;
    let file = folder.join("flagr.json");
    std::fs::write(&file, flags::flagr(20))?;
    let mut import = std::process::Command::new(&options.featured);
    import
        .arg("--db")
        .arg(&database.file)
        .args("import --from flagr --site load --env 1".split(' '))
        .arg(&file);
    server::output(&mut import, "")?;
    let server = serve(options, &database.file, &[])?;
    let token = &database.tokens[0];
    let one = r#"{"entityID":"user-1","entityContext":{"country":"DE","plan":"premium","age":33},"flagKey":"checkout-7"}"#;
    let one = post("/flagr/api/v1/evaluation", token, one);
    let (status, head, length) = client::ask(server.address, one.as_bytes())?;
    if status != 200 {
        return Err(head.into());
    }
    let entities: Vec<String> = (0..100)
        .map(|n| {
            format!(
                r#"{{"entityID":"user-{n}","entityContext":{{"country":"DE","plan":"premium","age":{n}}}}}"#
            )
        })
        .collect();
    let keys: Vec<String> = (1..=20).map(|n| format!("\"checkout-{n}\"")).collect();
    let batch = format!(r#"{{"entities":[{}],"flagKeys":[{}]}}"#, entities.join(","), keys.join(","));
    let batch = post("/flagr/api/v1/evaluation/batch", token, &batch);
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare", &length.to_string()]);
    let bare = Server::start(command)?;
    let fixed = one.replacen("/flagr/api/v1/evaluation", "/fixed/0", 1);
    let always = |request: String, connections| -> Load {
        let requests: Requests =
            Rc::new(move |_, _, out: &mut Vec<u8>| out.extend_from_slice(request.as_bytes()));
        Load { connections, ..load(requests, 200, "") }
    };
    let pair = Pair {
        what: ALONE,
        featured: (&server, always(one, CONNECTIONS)),
        bare: (&bare, always(fixed, CONNECTIONS)),
        bar: Some(0.65),
    };
    if pair.what.contains(&options.only) {
        compare(options, &pair, rows)?;
    }
    if TOGETHER.contains(&options.only) {
        let together = always(batch, 4);
        let mut shares = Vec::new();
        for _ in 0..options.rounds {
            let cost = |load: &Load, evaluations: f64| -> Outcome<f64> {
                let before = server.cpu()?;
                let answered = client::run(server.address, load, options.slice)?.answered;
                Ok((server.cpu()? - before).as_secs_f64() / (answered as f64 * evaluations))
            };
            shares.push(cost(&together, 2000.0)? / cost(&pair.featured.1, 1.0)?);
        }
        rows.push(Row::at_most(TOGETHER, &shares, "", Some(0.25)));
    }
    Ok(())
}

/// Toggles: each connection switches a flag of its own off and on.
fn toggles(environment: usize, person: &str) -> Requests {
    let person = person.to_owned();
    let off = RefCell::new([false; CONNECTIONS]);
    Rc::new(move |connection, _, out| {
        let off = &mut off.borrow_mut()[connection];
        let body = if *off { r#"{"enabled":true}"# } else { r#"{"enabled":false}"# };
        *off = !*off;
        let path =
            format!("/api/v1/sites/load/environments/{environment}/features/{}", flags::key(connection));
        let request = post(&path, &person, body).replacen("POST", "PATCH", 1);
        out.extend_from_slice(request.as_bytes());
    })
}

fn writes(options: &Options, database: &Database, folder: &Path, rows: &mut Table) -> Outcome<()> {
    let server = serve(options, &database.file, &[])?;
    for (connections, what, bar) in [
        (1, "flag write over HTTP, 1 connection", None),
        (CONNECTIONS, "flag write over HTTP, 64 connections", Some(0.2)),
    ] {
        if what.contains(&options.only) {
            write_rate(options, (&server, 1000, &database.person), connections, folder, (what, bar), rows)?;
        }
    }
    Ok(())
}

fn write_rate(
    options: &Options,
    (server, environment, person): (&Server, usize, &str),
    connections: usize,
    folder: &Path,
    (what, bar): (&str, Option<f64>),
    rows: &mut Table,
) -> Outcome<()> {
    let load = Load { connections, ..load(toggles(environment, person), 200, "") };
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("sqlite").arg(folder.join("raw.db")).arg(options.slice.as_millis().to_string());
    let mut gauge = Gauge::start(command)?;
    // Both have their WAL at its full length before they are measured.
    let mut answered = 0;
    while answered < 500 {
        answered += client::run(server.address, &load, options.slice)?.answered;
    }
    gauge.read()?;
    let (mut featured, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        featured.push(client::run(server.address, &load, options.slice)?.per_second);
        raw.push(gauge.read()?);
    }
    rows.push(Row::ratio(what, &featured, &raw, bar));
    Ok(())
}

/// What many flags cost: start, memory, and that a write does not depend on their number.
fn large(options: &Options, folder: &Path, size: usize, rows: &mut Table) -> Outcome<()> {
    let database = Database::make(&options.featured, folder, &format!("flags-{size}"), &[size])?;
    let (mut starts, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds.div_ceil(2) {
        let server = serve(options, &database.file, &[])?;
        starts.push(server.start.as_secs_f64() * 1000.0);
        std::thread::sleep(Duration::from_millis(300));
        memory.push(server.memory()?);
    }
    let bar = (size == 100_000).then_some(500.0);
    rows.push(Row::at_most(&format!("start to the first answer, {size} flags"), &starts, "ms", bar));
    rows.push(Row::at_most(&format!("idle memory, {size} flags"), &memory, "MB", None));
    let server = serve(options, &database.file, &[])?;
    let what = format!("flag write over HTTP among {size} flags, 1 connection");
    write_rate(options, (&server, size, &database.person), 1, folder, (&what, None), rows)?;
    rows.push(Row::at_most(
        &format!("memory after the writes, {size} flags"),
        &[server.memory()?],
        "MB",
        None,
    ));
    Ok(())
}
