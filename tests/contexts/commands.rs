//! `featured contexts export|plan|apply` with the built program (featuresd.md §6.5).

use serde_json::{Value, json};

use crate::binary::{Ended, Place};

const DOCUMENT: &str = "\
version: 1
contexts:
  default: {features: {limit: \"2\"}}
  team-blue: {description: Those who try, features: {greeting: Hej, dark_mode: \"yes\"}}
  mia: {prototypes: [team-blue], features: {limit: \"50\"}}
";

const AT: [&str; 4] = ["--site", "shop", "--env", "prod"];

fn contexts(place: &Place, command: &str, more: &[&str]) -> Ended {
    place.run(["contexts", command].iter().chain(&AT).chain(more))
}

/// The same from a file.
fn with(place: &Place, command: &str, document: &str, more: &[&str]) -> Ended {
    let file = place.file("contexts.yaml", document);
    let file = file.to_str().expect("a path");
    contexts(place, command, &[&["--file", file], more].concat())
}

#[test]
fn a_plan_says_what_applying_does_and_applying_does_it_once() {
    let place = Place::shop();
    let before = place.number("SELECT number FROM chain_head");
    let plan = with(&place, "plan", DOCUMENT, &[]).ok();
    let mut lines: Vec<_> = plan.lines().collect();
    assert_eq!(lines.pop(), Some("dry run: 2 created, 1 updated, 0 deleted, 0 unchanged"));
    for begin in ["+ contexts/mia", "+ contexts/team-blue", "~ contexts/default: "] {
        assert!(lines.iter().any(|line| line.starts_with(begin)), "no {begin} in {plan}");
    }
    assert_eq!(place.number("SELECT number FROM chain_head"), before, "a plan changes nothing");

    let applied = with(&place, "apply", DOCUMENT, &[]).ok();
    assert!(applied.ends_with("\n2 created, 1 updated, 0 deleted, 0 unchanged\n"), "{applied}");
    assert!(place.number("SELECT number FROM chain_head") > before, "it stands in the audit trail");
    let again = with(&place, "apply", DOCUMENT, &["--json"]).json();
    assert_eq!(
        (&again["created"], &again["updated"], &again["unchanged"], &again["dryRun"]),
        (&json!([]), &json!([]), &json!(3), &json!(false)),
        "{again}"
    );
    // What is stored is what everybody gets.
    let user = json!({"userId": "mia"}).to_string();
    let told = place.run(["evaluate", "--json", "--context", &user].iter().chain(&AT)).json();
    assert_eq!(told["limit"]["value"], 50, "{told}");
    assert_eq!(told["greeting"]["value"], "Hej");
}

#[test]
fn an_export_applied_elsewhere_is_exported_again_byte_for_byte() {
    let one = Place::shop();
    with(&one, "apply", DOCUMENT, &[]).ok();
    let yaml = contexts(&one, "export", &[]).ok();
    assert!(yaml.starts_with("version: 1\n"), "{yaml}");
    let file = one.path("out.yaml");
    let name = file.to_str().expect("a path");
    assert_eq!(contexts(&one, "export", &["--file", name]).ok(), "");
    assert_eq!(std::fs::read_to_string(&file).expect("the file").trim_end(), yaml.trim_end());
    let json = contexts(&one, "export", &["--format", "json"]).ok();
    let read: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(read["contexts"]["mia"], json!({"prototypes": ["team-blue"], "features": {"limit": "50"}}));

    for document in [&yaml, &json] {
        let other = Place::shop();
        let command = ["contexts", "apply"].iter().chain(&AT).chain(&["--file", "-"]);
        Ended::with_input(&mut other.featured(command), document).ok();
        assert_eq!(contexts(&other, "export", &[]).ok(), yaml);
    }
}

#[test]
fn replace_deletes_what_the_document_lacks_and_merge_does_not() {
    let place = Place::shop();
    with(&place, "apply", DOCUMENT, &[]).ok();
    let less = DOCUMENT.replace("  mia: {prototypes: [team-blue], features: {limit: \"50\"}}\n", "");
    let stored = || place.number("SELECT count(*) FROM contexts WHERE key NOT IN ('default', 'override')");
    assert!(
        with(&place, "apply", &less, &[]).ok().ends_with("0 created, 0 updated, 0 deleted, 2 unchanged\n")
    );
    assert_eq!(stored(), 2);
    let plan = with(&place, "plan", &less, &["--mode", "replace"]).ok();
    assert!(plan.contains("- contexts/mia\n"), "{plan}");
    assert_eq!(stored(), 2);
    let applied = with(&place, "apply", &less, &["--mode", "replace"]).ok();
    assert!(applied.ends_with("0 created, 0 updated, 1 deleted, 2 unchanged\n"), "{applied}");
    assert_eq!(stored(), 1);
}

#[test]
fn what_cannot_be_applied_changes_nothing_and_every_problem_is_told() {
    let place = Place::shop();
    let before = place.number("SELECT number FROM chain_head");
    let bad = DOCUMENT
        .replace("dark_mode: \"yes\"", "dark_mode: maybe, gone: x")
        .replace("[team-blue]", "[nobody]");
    for command in ["plan", "apply"] {
        let ended = with(&place, command, &bad, &[]);
        for part in ["dark_mode", "gone", "nobody"] {
            assert!(ended.stdout.contains(part), "{command}: {part} is not told: {ended:?}");
        }
        assert!(ended.failed(1).contains("3 problems; nothing was changed"), "{command}");
    }
    let cyclic = DOCUMENT.replace("team-blue: {", "team-blue: {prototypes: [mia], ");
    let ended = with(&place, "apply", &cyclic, &[]);
    assert!(
        ended.code == Some(1) && [&ended.stdout, &ended.stderr].iter().any(|text| text.contains("cycle")),
        "{ended:?}"
    );
    assert!(with(&place, "apply", "version: 1\ncontexts: [", &[]).failed(1).contains("contexts.yaml"));
    assert!(contexts(&place, "apply", &["--file", "nowhere.yaml"]).failed(1).contains("nowhere.yaml"));
    for (site, env, told) in
        [("no", "prod", "site no does not exist"), ("shop", "no", "environment no does not exist")]
    {
        let ended = place.run(["contexts", "export", "--site", site, "--env", env]);
        assert_eq!(ended.failed(1), told);
    }
    assert_eq!(place.number("SELECT number FROM chain_head"), before);
}
