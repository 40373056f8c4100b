//! The database under load, made with the command line: some simple flags as people write them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::server::output;

/// A database with one site `load`.
pub struct Database {
    pub file: PathBuf,
    /// Of each environment asked for.
    pub tokens: Vec<String>,
    /// FeatureHub's spelling of tokens of the first environment: one whose clients evaluate by themselves, and one
    /// that is told values.
    pub featurehub: [String; 2],
    /// A personal access token of an admin.
    pub person: String,
}

impl Database {
    /// Makes one with an environment of each size, named by it.
    pub fn make(featured: &Path, folder: &Path, name: &str, sizes: &[usize]) -> Outcome<Self> {
        let file = folder.join(format!("{name}.db"));
        let run = |words: &str, input: &str| {
            let mut command = Command::new(featured);
            command.arg("--db").arg(&file).args(words.split(' '));
            output(&mut command, input)
        };
        run("import -", &document(sizes))?;
        run(
            "user add load --email load@localhost.example --role admin --password-stdin",
            "load-load-load-17",
        )?;
        let person = run("user pat load --description load", "")?;
        let person = person.split_whitespace().last().ok_or("no personal access token")?.to_owned();
        let token = |size: usize, kind: &str| -> Outcome<serde_json::Value> {
            let words = format!(
                "token add --json --site load --env {size} --kind {kind} --rate-limit 0 --description load"
            );
            Ok(serde_json::from_str(&run(&words, "")?)?)
        };
        let mut tokens = Vec::new();
        for size in sizes {
            tokens.push(token(*size, "client")?["token"].as_str().ok_or("no token")?.to_owned());
        }
        let first = *sizes.first().ok_or("no environment")?;
        let key = |kind: &str| -> Outcome<String> {
            Ok(token(first, kind)?["featurehubKey"].as_str().ok_or("no key")?.to_owned())
        };
        let featurehub = [key("server")?, key("client")?];
        Ok(Self { file, tokens, featurehub, person })
    }
}

/// The key of one flag.
pub fn key(number: usize) -> String {
    format!("flag_{number:06}")
}

/// The site document.
fn document(sizes: &[usize]) -> String {
    let environments: Vec<String> = sizes
        .iter()
        .map(|size| {
            let flags: Vec<String> = (0..*size).map(flag).collect();
            format!(r#"{{"name":"{size}","features":[{}]}}"#, flags.join(","))
        })
        .collect();
    format!(
        r#"{{"version":1,"site":{{"slug":"load","name":"Load","description":""}},"environments":[{}]}}"#,
        environments.join(",")
    )
}

/// One flag with one rule, of four kinds in turn: one leaf, two leaves, a rollout, both.
fn flag(number: usize) -> String {
    let rule = match number % 4 {
        0 => r#""when":{"attribute":"plan","operator":"equals","value":"premium"}"#,
        1 => {
            r#""when":{"all":[{"attribute":"country","operator":"in","values":["SE","NO","DK"]},
                              {"attribute":"appVersion","operator":"semver_gte","value":"2.4.0"}]}"#
        }
        2 => r#""rollout":{"percentage":50}"#,
        _ => {
            r#""when":{"attribute":"email","operator":"ends_with","value":"@shop.example"},
               "rollout":{"percentage":25}"#
        }
    };
    format!(
        r#"{{"key":"{}","type":"BOOLEAN","defaultValue":false,
             "rules":[{{"name":"r","priority":50,{rule},"outcome":{{"value":true}}}}]}}"#,
        key(number)
    )
}

/// Appends the body of an evaluation for one visitor, about 220 bytes.
pub fn evaluation(out: &mut String, size: usize, visitor: u64) {
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        r#"{{"siteId":"load","environmentId":"{size}","context":{{"userId":"user-{visitor:09}","plan":"premium","country":"SE","email":"user-{visitor:09}@shop.example","appVersion":"2.5.1","platform":"ios","locale":"sv-SE","age":34}}}}"#,
    );
}

/// The body of a single OFREP evaluation for visitor 0, with the same attributes.
pub fn remote_evaluation() -> &'static str {
    r#"{"context":{"targetingKey":"user-000000000","plan":"premium","country":"SE","email":"user-000000000@shop.example","appVersion":"2.5.1","platform":"ios","locale":"sv-SE","age":34}}"#
}

/// Flags as Flagr exports them: one with a constraint on a segment and a split for the rest.
pub fn flagr(count: usize) -> String {
    let flags: Vec<String> = (1..=count)
        .map(|n| {
            let [a, b] = [2 * n, 2 * n + 1];
            let share = |id: usize, variant: usize, key: &str, percent: u8| {
                format!(r#"{{"ID":{id},"VariantID":{variant},"VariantKey":"{key}","Percent":{percent}}}"#)
            };
            let constraint = format!(r#"{{"ID":{n},"Property":"country","Operator":"EQ","Value":"\"FR\""}}"#);
            format!(
                r#"{{"ID":{n},"Key":"checkout-{n}","Enabled":true,"Tags":[{{"ID":1,"Value":"web"}}],
                "Variants":[{{"ID":{a},"Key":"control"}},{{"ID":{b},"Key":"new","Attachment":{{"color":"teal"}}}}],
                "Segments":[{{"ID":{a},"Description":"France","Rank":0,"RolloutPercent":100,"Constraints":[{constraint}],
                "Distributions":[{}]}},{{"ID":{b},"Description":"rest","Rank":1,"RolloutPercent":80,"Distributions":[{},{}]}}]}}"#,
                share(3 * n, b, "new", 100),
                share(3 * n + 1, a, "control", 50),
                share(3 * n + 2, b, "new", 50),
            )
        })
        .collect();
    format!(r#"{{"Flags":[{}]}}"#, flags.join(","))
}
