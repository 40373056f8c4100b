//! The engine against a second evaluator, written in Python from the specification alone
//! (`tests/reference/`): the same documents, the same contexts, the same answers.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use featured::engine::context::Context;
use featured::engine::evaluate::{Evaluation, Evaluator};
use featured::engine::matcher::parse_time;
use featured::engine::snapshot::Snapshot;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::engine::{document, snapshot};

/// One line for the evaluators: a document and the contexts to ask it for.
#[derive(Deserialize)]
struct Job<'a> {
    #[serde(borrow)]
    document: &'a RawValue,
    environment: &'a str,
    now: &'a str,
    #[serde(borrow)]
    contexts: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Answer {
    /// One object of answers by feature key per context.
    results: Vec<Value>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

/// Whether there is a Python to ask. Without one the tests say so and pass, but not in CI.
pub fn has_python() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        let message = "python3 is missing: the engine was NOT compared with the reference evaluator";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
        eprintln!("\n!!! {message} !!!\n");
    }
    found
}

/// Runs a script of the folder and takes what it prints.
pub fn python(script: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("python3")
        .arg("-B")
        .arg(script)
        .args(arguments)
        .current_dir(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("python3 ends");
    writer.join().expect("the writer ends").expect("all was read");
    assert!(output.status.success(), "{script} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What the engine says for a context, in the shape of the reference.
fn answers(snapshot: &Snapshot, context: &str, now: &str) -> Value {
    let context = Context::from_json(context).expect(context);
    let evaluator = Evaluator::new(snapshot, &context, parse_time(now).expect(now)).expect("a chain");
    let answer = |evaluation: Evaluation<'_>| {
        json!({
            "value": serde_json::from_str::<Value>(evaluation.value).expect("JSON"),
            "type": evaluation.feature.definition().kind,
            "enabled": evaluation.feature.definition().enabled,
            "reason": evaluation.reason,
            "rule": evaluation.rule.map(|rule| rule.name.as_str()),
            "variant": evaluation.variant.map(|variant| variant.key.as_str()),
        })
    };
    let features = snapshot.features();
    features.map(|feature| (feature.key.to_string(), answer(evaluator.evaluate(feature)))).collect()
}

/// Compares both on every line. Says how many documents, contexts and answers there were.
fn compare(jobs: &str) -> (usize, usize, usize) {
    let expected = python("evaluate.py", &[], jobs);
    let (mut documents, mut contexts, mut count) = (0, 0, 0);
    let mut differences = Vec::new();
    for (line, expected) in jobs.lines().zip(expected.lines()) {
        let job: Job<'_> = serde_json::from_str(line).expect("a job");
        let expected: Answer = serde_json::from_str(expected).expect("an answer");
        let snapshot = snapshot(&document(job.document.get()), job.environment);
        let broken = snapshot.features().find_map(|feature| feature.broken.as_ref());
        assert_eq!(broken, None, "a generated feature does not compile");
        assert_eq!(job.contexts.len(), expected.results.len());
        for (context, expected) in job.contexts.iter().zip(&expected.results) {
            let actual = answers(&snapshot, context.get(), job.now);
            let keys = expected.as_object().expect("an object");
            assert_eq!(actual.as_object().map(|have| have.len()), Some(keys.len()));
            for (key, expected) in keys {
                if actual[key] != *expected {
                    let feature = snapshot.feature(key).expect("the feature");
                    differences.push(format!(
                        "document {documents}, {key}\n  engine    {}\n  reference {expected}\n  feature {:?}\n  context {context}",
                        actual[key], feature.definition(),
                    ));
                }
            }
            count += keys.len();
            contexts += 1;
        }
        documents += 1;
    }
    assert_eq!(jobs.lines().count(), expected.lines().count(), "a line is missing");
    assert!(
        differences.is_empty(),
        "{} of {count} answers differ, the first:\n{}",
        differences.len(),
        differences[..differences.len().min(5)].join("\n")
    );
    (documents, contexts, count)
}

#[test]
fn the_reference_itself_reproduces_the_published_vectors() {
    if has_python() {
        python("-m", &["unittest", "discover", "-q", "-p", "test_*.py"], "");
    }
}

#[test]
fn random_documents_are_answered_as_the_reference_does() {
    if !has_python() {
        return;
    }
    let seed = std::env::var("REFERENCE_SEED").unwrap_or_else(|_| "1".to_owned());
    let documents = std::env::var("REFERENCE_DOCUMENTS").unwrap_or_else(|_| "300".to_owned());
    let jobs = python(
        "generate.py",
        &["--seed", &seed, "--documents", &documents, "--contexts", "20", "--quiet"],
        "",
    );
    let (compared, contexts, answers) = compare(&jobs);
    assert_eq!(Some(compared), documents.parse().ok());
    assert!(answers > 2 * contexts, "{answers} answers for {contexts} contexts");
}

#[test]
fn the_browser_studies_are_answered_as_the_reference_does() {
    if !has_python() {
        return;
    }
    let jobs = python("generate_studies.py", &["--seed", "1", "--contexts", "3000", "--quiet"], "");
    let (_, contexts, answers) = compare(&jobs);
    assert_eq!((contexts, answers), (3000, 3000 * 180));
}
