//! Stored Contexts (featuresd.md §7.2): importing 10 000, looking one up through a chain of 8 among them, writing one,
//! and the memory that 100 000 take.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::flags::Database;
use crate::server::{Server, output};
use crate::table::{Row, Table};
use crate::{Options, Outcome, serve};

const FEATURES: usize = 200;
/// Look-ups measured; every hundredth may take longer.
const LOOKUPS: usize = 5000;

/// A document of Contexts in chains of 8, each with a few values of its own.
fn document(count: usize) -> String {
    let mut text = String::from(r#"{"version":1,"features":{"#);
    for n in 0..FEATURES {
        let comma = if n == 0 { "" } else { "," };
        let kind = ["flag", "integer", "string"][n % 3];
        let _ = write!(text, r#"{comma}"feature_{n:03}":{{"type":"{kind}"}}"#);
    }
    text.push_str(r#"},"contexts":{"#);
    for n in 0..count {
        let comma = if n == 0 { "" } else { "," };
        let prototypes = if n % 8 == 0 { String::new() } else { format!(r#""user-{:06}""#, n - 1) };
        let (flag, integer, text_at) = (n * 3 % 201 / 3 * 3, n * 3 % 198 / 3 * 3 + 1, n % 66 * 3 + 2);
        let _ = write!(
            text,
            r#"{comma}"user-{n:06}":{{"prototypes":[{prototypes}],"features":{{"feature_{flag:03}":"yes","feature_{integer:03}":{n},"feature_{text_at:03}":"value {}"}}}}"#,
            n % 50
        );
    }
    text.push_str("}}");
    text
}

/// Sends a request on a connection of its own and reads all of the answer.
fn ask(server: &Server, method: &str, path: &str, token: &str, body: &str) -> Outcome<String> {
    let mut stream = TcpStream::connect(server.address)?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if !answer.starts_with("HTTP/1.1 2") {
        return Err(format!("{method} {path}: {}", answer.lines().next().unwrap_or_default()).into());
    }
    Ok(answer)
}

/// A number out of the server's metrics.
fn metric(server: &Server, name: &str) -> Outcome<f64> {
    let text = ask(server, "GET", "/metrics", "", "")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such metric")?;
    Ok(line.trim().parse()?)
}

pub fn measure(options: &Options, folder: &Path, rows: &mut Table) -> Outcome<()> {
    let database = Database::make(&options.featured, folder, "contexts", &[0])?;
    let at = "/api/v1/sites/load/environments/0/contexts";
    let server = serve(options, &database.file, &[])?;
    let (person, token) = (&database.person, &database.tokens[0]);
    let ten_thousand = document(10_000);
    let begun = Instant::now();
    ask(&server, "POST", &format!("{at}:import"), person, &ten_thousand)?;
    rows.push(Row::at_most("import of 10 000 Contexts", &[begun.elapsed().as_secs_f64()], "s", Some(5.0)));

    for n in 0..LOOKUPS {
        ask(&server, "GET", &format!("{at}/user-{:06}/features", n * 8 % 10_000 + 7), token, "")?;
    }
    let within = metric(&server, r#"featured_context_lookup_seconds_bucket{le="0.001"}"#)?;
    let all = metric(&server, "featured_context_lookup_seconds_count")?;
    rows.push(Row::at_most(
        "look-ups over 1 ms: 200 features, chain of 8, 10 000",
        &[(all - within) / all * 100.0],
        "%",
        Some(1.0),
    ));
    let mean = metric(&server, "featured_context_lookup_seconds_sum")? / all * 1e6;
    rows.push(Row::at_most("the same, mean", &[mean], "µs", None));

    let mut writes = Vec::new();
    for n in 0..200 {
        let begun = Instant::now();
        let body = format!(r#"{{"features":{{"feature_001":{n}}}}}"#);
        ask(&server, "PATCH", &format!("{at}/user-{:06}", n * 50), person, &body)?;
        writes.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    rows.push(Row::at_most("one Context written over HTTP among 10 000", &writes, "ms", Some(10.0)));
    drop(server);

    let file = folder.join("contexts.json");
    std::fs::write(&file, document(100_000))?;
    let mut apply = Command::new(&options.featured);
    apply.arg("--db").arg(&database.file);
    apply.args(["contexts", "apply", "--site", "load", "--env", "0", "--file"]).arg(&file);
    output(&mut apply, "")?;
    let server = serve(options, &database.file, &[])?;
    rows.push(Row::at_most("memory with 100 000 Contexts", &[server.memory()?], "MB", Some(100.0)));
    let body = r#"{"features":{"feature_001":1}}"#;
    for n in 0..50 {
        ask(&server, "PATCH", &format!("{at}/user-{:06}", n * 1000), person, body)?;
    }
    rows.push(Row::at_most("the same after 50 writes", &[server.memory()?], "MB", None));
    Ok(())
}
