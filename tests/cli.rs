//! The command line (native-api "Command line"): what each command prints, how it ends, and which options count.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::binary::{Ended, Place, SHOP, featured, text};

/// The options that `serve` has today, by their long names.
const SERVE_OPTIONS: [&str; 17] = [
    "--db",
    "--config",
    "--json",
    "--listen",
    "--base-url",
    "--dev",
    "--demo",
    "--durability",
    "--log-format",
    "--cache-ttl",
    "--heartbeat",
    "--rate-limit",
    "--max-environments",
    "--allowed-origin",
    "--trusted-proxy",
    "--retention-days",
    "--help",
];

#[test]
fn both_helps_list_every_option_with_its_variable() {
    for args in [&["--help"][..], &["serve", "--help"]] {
        let help = Ended::of(featured(args)).ok();
        let listed: BTreeSet<&str> = help
            .split_whitespace()
            .filter(|word| word.starts_with("--"))
            .map(|word| word.split(['[', '=']).next().unwrap_or_default())
            .collect();
        for option in SERVE_OPTIONS {
            assert!(listed.contains(option), "{args:?} does not list {option}:\n{help}");
            if !["--json", "--help"].contains(&option) {
                let variable = format!("[env: FEATURED_{}", option[2..].to_uppercase().replace('-', "_"));
                assert!(help.contains(&variable), "{args:?} does not tell of {variable}");
            }
        }
    }
}

#[test]
fn wrong_usage_is_one_line_and_exit_code_2() {
    let place = Place::shop();
    let cases: &[(&[&str], &str)] = &[
        (&["bogus"], "bogus"),
        (&["--bogus"], "--bogus"),
        (&["user"], "subcommand"),
        (&["user", "add", "eva"], "--email"),
        (
            &["user", "add", "eva", "--email", "e@x.y", "--role", "king", "--password-stdin"],
            "admin, editor, viewer",
        ),
        (
            &["token", "add", "--site", "shop", "--env", "prod", "--kind", "x", "--description", "d"],
            "client, server",
        ),
        (&["import"], "<FILE>"),
        (&["import", "x.yaml", "--mode", "force"], "merge, replace"),
        (&["export"], "--site"),
        (&["export", "--site", "shop", "--format", "xml"], "yaml, json"),
        (&["evaluate", "--site", "shop"], "--env"),
        (&["evaluate", "--env", "prod"], "--site"),
        (&["evaluate", "--site", "shop", "--env", "prod", "--context", "{"], "--context"),
        (&["evaluate", "--site", "shop", "--env", "prod", "--context", "[]"], "--context"),
        (&["healthcheck", "https://flags.example"], "only http://"),
        (&["healthcheck", "nonsense"], "nonsense"),
        (&["--cache-ttl", "soon"], "--cache-ttl"),
        (&["--cache-ttl", "99999999999999"], "--cache-ttl"),
        (&["--heartbeat", "0"], "--heartbeat"),
        (&["--base-url", "flags.example"], "--base-url"),
        (&["--durability", "none"], "full, normal"),
        (&["--log-format", "xml"], "text, json"),
        (&["--retention-days", "0"], "--retention-days"),
        (&["--allowed-origin", "shop.example"], "--allowed-origin"),
        (&["--trusted-proxy", "everybody"], "--trusted-proxy"),
        (&["--listen", "nonsense"], "--listen"),
        (&["--listen", "127.0.0.1:99999"], "--listen"),
        (&["--listen", "a\nb"], "--listen"),
        (&["serve", "--rate-limit", "-1"], "-1"),
        (&["--flagr-injected-header", "X-Country"], "--flagr-injected-context"),
        (&["--flagr-injected-context", "--flagr-injected-header", "Cookie"], "carries a secret"),
        (&["--flagr-injected-context", "--flagr-injected-header", "X-A,a b"], "a b"),
        (&["contexts", "export", "--site", "shop"], "--env"),
        (&["contexts", "apply", "--site", "shop", "--env", "prod"], "--file"),
        (
            &["contexts", "plan", "--site", "shop", "--env", "prod", "--file", "x", "--mode", "force"],
            "merge, replace",
        ),
    ];
    for (args, needle) in cases {
        let line = place.run(*args).failed(2);
        assert!(line.contains(needle), "{args:?}: {line}");
    }
    let line = Ended::of(featured(["user", "list"])).failed(2);
    assert_eq!(line, "say which database: --db FILE (or FEATURED_DB)");
    assert!(Ended::of(featured::<&str>([])).failed(2).contains("--db"));
}

#[test]
fn what_cannot_be_done_is_one_line_and_exit_code_1() {
    let place = Place::shop();
    let cases: &[(&[&str], &str)] = &[
        (&["user", "pat", "nobody", "--description", "d"], "user nobody does not exist"),
        (&["user", "pat", "ana", "--description", " "], "description must be 1 to 200 characters"),
        (&["user", "reset-2fa", "nobody"], "user nobody does not exist"),
        (
            &["token", "add", "--site", "no", "--env", "prod", "--kind", "client", "--description", "d"],
            "site no does not exist",
        ),
        (
            &["token", "add", "--site", "shop", "--env", "no", "--kind", "client", "--description", "d"],
            "environment no does not exist",
        ),
        (
            &[
                "token",
                "add",
                "--site",
                "shop",
                "--env",
                "dev",
                "--kind",
                "client",
                "--description",
                "d",
                "--permissions",
                "FLY",
            ],
            "permissions",
        ),
        (&["import", "absent.yaml"], "absent.yaml: No such file"),
        (&["export", "--site", "no"], "site no does not exist"),
        (&["evaluate", "--site", "shop", "--env", "no"], "environment no does not exist"),
        (&["evaluate", "--site", "shop", "--env", "prod", "--feature", "no"], "feature no does not exist"),
        (&["healthcheck", "http://127.0.0.1:1"], "refused"),
        (&["--config", "absent.toml"], "absent.toml: No such file"),
    ];
    for (args, needle) in cases {
        let line = place.run(*args).failed(1);
        assert!(line.contains(needle), "{args:?}: {line}");
    }
    let empty = Place::empty();
    for args in [
        &["user", "list"][..],
        &["user", "pat", "ana", "--description", "d"],
        &["user", "reset-2fa", "ana"],
        &["token", "add", "--site", "s", "--env", "e", "--kind", "client", "--description", "d"],
        &["export", "--site", "shop"],
        &["evaluate", "--site", "shop", "--env", "prod"],
        &["check"],
    ] {
        assert!(empty.run(args).failed(1).ends_with("flags.db does not exist"), "{args:?}");
        assert!(!empty.db.exists(), "{args:?} made a database");
    }
}

#[test]
fn the_database_is_named_before_or_after_the_command_or_by_variable() {
    let place = Place::shop();
    let db = place.db.to_str().expect("a path");
    let users = |args: &[&str]| Ended::of(featured(args)).ok();
    let wanted = users(&["--db", db, "user", "list"]);
    assert!(wanted.starts_with("ana"), "{wanted}");
    assert_eq!(users(&["user", "--db", db, "list"]), wanted);
    assert_eq!(users(&["user", "list", "--db", db]), wanted);
    let mut by_variable = featured(["user", "list"]);
    assert_eq!(
        Ended::of({
            by_variable.env("FEATURED_DB", db);
            by_variable
        })
        .ok(),
        wanted
    );
    let config = place.file("featured.toml", &format!("db = {db:?}\n"));
    assert_eq!(users(&["user", "list", "--config", config.to_str().expect("a path")]), wanted);
}

#[test]
fn users_are_made_listed_and_repaired() {
    let place = Place::empty();
    assert_eq!(place.add_user("ana", "admin").ok(), "user ana (admin) made\n");
    let made = Ended::with_input(
        &mut place.featured([
            "--json",
            "user",
            "add",
            "bo",
            "--email",
            "bo@shop.example",
            "--role",
            "viewer",
            "--password-stdin",
        ]),
        "correct horse battery",
    )
    .json();
    assert_eq!(
        (&made["username"], &made["email"], &made["role"]),
        (&json!("bo"), &json!("bo@shop.example"), &json!("viewer"))
    );
    let listed = place.run(["user", "list", "--json"]).json();
    let names: Vec<_> =
        listed.as_array().expect("a list").iter().map(|user| text(&user["username"])).collect();
    assert_eq!(names, ["ana", "bo"]);
    assert_eq!((&listed[1]["active"], &listed[1]["twoFactor"]), (&json!(true), &json!("none")));
    assert!(place.run(["user", "list"]).ok().contains("bo                   viewer   bo@shop.example"));

    // The last word on stdout is the token.
    let printed = place.run(["user", "pat", "bo", "--description", "script"]).ok();
    assert!(printed.split_whitespace().last().is_some_and(|word| word.starts_with("alm_pat_")), "{printed}");
    let printed = place.run(["user", "pat", "bo", "--description", "script", "--json"]).json();
    assert!(text(&printed["token"]).starts_with("alm_pat_"));

    place.open().execute("UPDATE users SET two_factor = 'totp', totp_seed = x'00'", []).expect("a seed");
    assert_eq!(place.run(["user", "reset-2fa", "ana"]).ok(), "ana has no second factor now\n");
    assert_eq!(place.number("SELECT count(*) FROM users WHERE two_factor = 'none' AND totp_seed IS NULL"), 1);

    let hash = |name: &str| -> String {
        place
            .open()
            .query_row("SELECT password FROM users WHERE username = ?1", [name], |row| row.get(0))
            .expect("a user")
    };
    let before = hash("ana");
    let ways_in = "INSERT INTO links (hash, purpose, user_id, expires_at)
                   SELECT x'00', 'reset', id, 1 << 60 FROM users WHERE username = 'ana';
                   INSERT INTO trusted_devices (uuid, user_id, hash, user_agent, created_at, last_used_at, expires_at)
                   SELECT 'd', id, x'00', '', 0, 0, 1 << 60 FROM users WHERE username = 'ana'";
    place.open().execute_batch(ways_in).expect("a link and a device");
    let mut passwd = place.featured(["user", "passwd", "ana", "--password-stdin"]);
    assert_eq!(Ended::with_input(&mut passwd, "another harbour\n").ok(), "password of ana changed\n");
    assert_ne!(hash("ana"), before);
    let left = "SELECT (SELECT count(*) FROM links l JOIN users u ON u.id = user_id AND username = 'ana')
                     + (SELECT count(*) FROM trusted_devices)";
    assert_eq!(place.number(left), 0, "the old ways in");
    assert!(hash("ana").starts_with("$argon2id$"));

    // Every change stands in the audit trail.
    assert_eq!(
        place.number("SELECT count(*) FROM changes WHERE entity = 'user' AND actor = 'command line'"),
        6
    );
}

#[test]
fn one_newline_at_the_end_is_not_part_of_a_password() {
    let place = Place::empty();
    let add = |name: &str, input: &str| {
        let email = format!("{name}@shop.example");
        let args = ["user", "add", name, "--email", &email, "--role", "viewer", "--password-stdin"];
        Ended::with_input(&mut place.featured(args), input)
    };
    // Seven characters are too few, eight are enough: whatever counts as one shows.
    assert_eq!(add("a", "q7#vKz9\n").failed(1), "password must be at least 8 characters");
    assert_eq!(add("b", "q7#vKz9\r\n").failed(1), "password must be at least 8 characters");
    add("c", "q7#vKz9\n\n").ok();
    add("d", "q7#vKz9x").ok();
    assert_eq!(add("e", "password\n").failed(1), "password is one of the most common passwords");
    assert_eq!(add("f", "").failed(1), "password must be at least 8 characters");
    assert_eq!(add("d", "q7#vKz9x").failed(1), "another user has this name or e-mail address");
    assert_eq!(place.number("SELECT count(*) FROM users"), 2);
}

#[test]
fn tokens_are_printed_once_in_both_spellings() {
    let place = Place::shop();
    let base = ["token", "add", "--site", "shop", "--env", "prod", "--description", "d"];
    let add = |more: &[&str]| place.run(base.iter().chain(more));
    let printed = add(&["--kind", "client", "--json"]).json();
    assert_eq!(printed.as_object().expect("an object").len(), 3);
    let id: String = place
        .open()
        .query_row("SELECT uuid FROM tokens ORDER BY id DESC LIMIT 1", [], |row| row.get(0))
        .expect("a token");
    assert_eq!(text(&printed["id"]), id);
    assert!(text(&printed["token"]).starts_with("alm_env_shop_prod_"));
    assert!(!text(&printed["featurehubKey"]).contains('*'));
    let server =
        add(&["--kind", "server", "--permissions", "READ,LOCK", "--rate-limit", "7", "--json"]).json();
    assert!(text(&server["featurehubKey"]).contains('*'));
    let row: (String, i64) = place
        .open()
        .query_row("SELECT permissions, rate_limit FROM tokens ORDER BY id DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("a token");
    assert_eq!(row, (r#"["LOCK","READ"]"#.into(), 7));
    let lines = add(&["--kind", "client"]).ok();
    let words: Vec<_> =
        lines.lines().map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
    assert_eq!(words, ["token", "featurehubKey"]);
    // Only digests are kept.
    let file = std::fs::read(&place.db).expect("the file");
    let secret = text(&printed["token"]);
    assert!(!file.windows(secret.len()).any(|window| window == secret.as_bytes()));
}

#[test]
fn a_document_is_imported_from_yaml_json_and_stdin() {
    let yaml = Place::empty();
    let file = yaml.file("shop.yaml", SHOP);
    let file = file.to_str().expect("a path");
    let dry = yaml.run(["import", file, "--dry-run"]).ok();
    assert!(dry.contains("+ environments/prod/features/dark_mode\n"), "{dry}");
    assert!(dry.ends_with("dry run: 8 created, 0 updated, 0 deleted, 0 unchanged\n"), "{dry}");
    assert!(!yaml.db.exists(), "a dry run makes no database");
    assert!(yaml.run(["import", file]).ok().ends_with("\n8 created, 0 updated, 0 deleted, 0 unchanged\n"));
    assert_eq!(yaml.import(SHOP), "0 created, 0 updated, 0 deleted, 8 unchanged\n");

    let exported = yaml.run(["export", "--site", "shop", "--format", "json"]).ok();
    let json = Place::empty();
    let plan = Ended::with_input(&mut json.featured(["import", "-", "--json"]), &exported).json();
    assert_eq!((&plan["dryRun"], plan["created"].as_array().map(Vec::len)), (&json!(false), Some(8)));
    assert_eq!(json.run(["export", "--site", "shop", "--format", "json"]).ok(), exported);
}

#[test]
fn replace_deletes_what_the_document_lacks_and_a_dry_run_only_says_so() {
    let place = Place::shop();
    let less = SHOP.replace("      - {key: greeting, type: STRING, defaultValue: Hello}\n", "");
    let less = place.file("less.yaml", &less.replace("defaultValue: 1.50", "defaultValue: 2"));
    let less = less.to_str().expect("a path");
    let features = || place.number("SELECT count(*) FROM features");
    let before = features();
    let dry = place.run(["import", less, "--mode", "replace", "--dry-run"]).ok();
    assert!(dry.contains("- environments/prod/features/greeting\n"), "{dry}");
    assert!(dry.contains("~ environments/prod/features/limit: "), "{dry}");
    assert_eq!(features(), before);
    assert!(place.run(["import", less]).ok().ends_with("0 created, 1 updated, 0 deleted, 6 unchanged\n"));
    assert_eq!(features(), before, "merge deletes nothing");
    assert!(
        place
            .run(["import", less, "--mode", "replace"])
            .ok()
            .ends_with("0 created, 0 updated, 1 deleted, 7 unchanged\n")
    );
    assert_eq!(features(), before - 1);
}

#[test]
fn a_bad_document_changes_nothing_and_lists_every_problem() {
    let place = Place::shop();
    let before = place.number("SELECT number FROM chain_head");
    let bad = SHOP.replace("priority: 90", "priority: 900").replace("key: limit", "key: li mit");
    let ended = Ended::with_input(&mut place.featured(["import", "-"]), &bad);
    let problems: Vec<_> =
        ended.stdout.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(
        problems,
        ["environments[0].features[0].rules[0].priority", "environments[0].features[2].key"]
    );
    assert_eq!(ended.failed(1), "-: 2 problems; nothing was changed");
    let ended = Ended::with_input(&mut place.featured(["import", "-", "--json"]), &bad);
    let printed: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(printed["problems"].as_array().map(Vec::len), Some(2));
    assert_eq!(ended.code, Some(1));
    for (document, line) in [
        ("", "-: the document must be an object"),
        ("[1]", "-: the document must be an object"),
        ("{\"version\": 1", "-: the body is not JSON"),
        ("a: b: c", "-: "),
        ("a: &x [*x]", "-: "),
        ("version: 2\nsite: {slug: shop, name: Shop}\nenvironments: []", "-: version "),
    ] {
        let failed = Ended::with_input(&mut place.featured(["import", "-"]), document).failed(1);
        assert!(failed.starts_with(line), "{document:?}: {failed}");
    }
    assert_eq!(place.number("SELECT number FROM chain_head"), before);
}

#[test]
fn an_export_is_the_same_after_it_was_imported_elsewhere() {
    let studies = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/browser-studies.json");
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.yaml");
    for (file, site) in [(studies, "browser"), (demo, "shop")] {
        let first = Place::empty();
        first.run(["import", file]).ok();
        let yaml = first.run(["export", "--site", site]).ok();
        let json = first.run(["export", "--site", site, "--format", "json"]).ok();
        for exported in [&yaml, &json] {
            let unchanged = first.import(exported);
            assert!(unchanged.starts_with("0 created, 0 updated, 0 deleted, "), "{unchanged}");
            let second = Place::empty();
            second.import(exported);
            assert_eq!(second.run(["export", "--site", site]).ok(), yaml);
            assert_eq!(second.run(["export", "--site", site, "--format", "json"]).ok(), json);
        }
        let compact = first.run(["export", "--site", site, "--json"]).ok();
        assert_eq!(compact.lines().count(), 1);
    }
}

#[test]
fn numbers_keep_their_text_through_every_format() {
    let place = Place::shop();
    for args in [&["--format", "yaml"][..], &["--format", "json"], &["--json"]] {
        let exported = place.run(["export", "--site", "shop"].iter().chain(args)).ok();
        assert!(exported.contains("1.50"), "{exported}");
    }
}

#[test]
fn evaluation_works_from_the_database_and_from_a_document_alike() {
    let place = Place::shop();
    let document = place.file("shop.yaml", SHOP);
    let document = document.to_str().expect("a path");
    let from_file = |args: &[&str]| {
        Ended::of(featured(["evaluate", "--file", document, "--env", "prod"].iter().chain(args)))
    };
    let from_db =
        |args: &[&str]| place.run(["evaluate", "--site", "shop", "--env", "prod"].iter().chain(args));
    let staff = r#"{"email": "bo@shop.example"}"#;
    let lines = "dark_mode = true  (TARGETING_MATCH, rule \"Staff first\")\ngreeting = \"Hello\"  (STATIC)\nlimit = 1.50  (STATIC)\n";
    for run in [&from_db as &dyn Fn(&[&str]) -> Ended, &from_file] {
        assert_eq!(run(&["--context", staff]).ok(), lines);
        assert_eq!(run(&["--feature", "dark_mode"]).ok(), "dark_mode = false  (DEFAULT)\n");
        let features = run(&["--context", staff, "--json"]).json();
        assert_eq!(features.as_object().map(serde_json::Map::len), Some(3));
        assert_eq!(features["dark_mode"]["reason"], "TARGETING_MATCH");
        let why = run(&["--context", staff, "--explain", "--feature", "dark_mode", "--json"]).json();
        assert_eq!(why["matchedRule"]["name"], "Staff first");
        assert_eq!(why["value"], true);
        let all: Value = serde_json::from_str(&run(&["--explain"]).ok()).expect("JSON for people, too");
        assert_eq!(all.as_array().map(Vec::len), Some(3));
        assert!(run(&["--feature", "no"]).failed(1).contains("feature no does not exist"));
    }
    assert!(from_file(&["--site", "other"]).failed(1).contains("is a document of the site shop"));
    let from_stdin = Ended::with_input(&mut featured(["evaluate", "--file", "-", "--env", "dev"]), SHOP);
    assert_eq!(from_stdin.ok(), "dark_mode = true  (STATIC)\n");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let place = Place::shop();
    let mut child = place
        .featured(["export", "--site", "shop"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn check_says_ok_or_what_is_wrong() {
    let place = Place::shop();
    assert_eq!(place.run(["check"]).ok(), "ok, 4 features\n");
    assert_eq!(place.run(["check", "--json"]).json(), json!({"ok": true, "features": 4}));
    place
        .open()
        .execute_batch(
            "PRAGMA foreign_keys = OFF;
             UPDATE rules SET condition = '{\"segment\": \"gone\"}';
             INSERT INTO variants (feature_id, position, key, value) VALUES (999, 0, 'x', '1');",
        )
        .expect("damage");
    let ended = place.run(["check"]);
    assert!(ended.stdout.contains("shop/prod/dark_mode: "), "{}", ended.stdout);
    assert!(ended.stdout.contains("points to a missing row of features"), "{}", ended.stdout);
    assert!(ended.failed(1).starts_with("2 problems in "));
    let ended = place.run(["check", "--json"]);
    let printed: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!((&printed["ok"], printed["problems"].as_array().map(Vec::len)), (&json!(false), Some(2)));
}

#[test]
fn a_damaged_file_is_told_by_check_and_by_the_server() {
    let place = Place::shop();
    let mut bytes = std::fs::read(&place.db).expect("the file");
    // Everything behind the first page.
    bytes[4096..].fill(0x5a);
    std::fs::write(&place.db, bytes).expect("damage");
    for args in [&["check"][..], &["--listen", "127.0.0.1:0"], &["export", "--site", "shop"]] {
        let line = place.run(args).failed(1);
        assert!(line.contains("damaged") || line.contains("malformed"), "{args:?}: {line}");
    }
}

#[test]
fn the_api_description_is_printed_as_json() {
    for args in [&["openapi"][..], &["openapi", "--json"]] {
        let description: Value = serde_json::from_str(&Ended::of(featured(args)).ok()).expect("JSON");
        assert!(description.is_object());
    }
}

#[test]
fn healthcheck_asks_a_server_by_url_by_name_or_where_it_listens() {
    let place = Place::shop();
    let server = place.serve();
    let url = server.url.clone();
    let address = url.strip_prefix("http://").expect("a URL");
    let port = address.rsplit(':').next().expect("a port");
    for args in [
        &["healthcheck", &url][..],
        &["healthcheck", &format!("http://localhost:{port}/")],
        &["--listen", address, "healthcheck"],
        &["--listen", &format!("0.0.0.0:{port}"), "healthcheck"],
    ] {
        assert_eq!(Ended::of(featured(args)).ok(), "", "{args:?}");
    }
    let mut by_variable = featured(["healthcheck"]);
    by_variable.env("FEATURED_LISTEN", address);
    Ended::of(by_variable).ok();
    drop(server);
    assert!(Ended::of(featured(["healthcheck", &format!("http://{address}")])).failed(1).contains(address));
}

#[test]
fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
    let place = Place::shop();
    let config = place.file("featured.toml", "rate-limit = 33\nmax-environments = 5\n");
    let config = config.to_str().expect("a path");
    let limit = |args: &[&str], variable: Option<&str>| {
        let mut command = place.featured(args);
        command.args(["--listen", "127.0.0.1:0"]);
        if let Some(value) = variable {
            command.env("FEATURED_RATE_LIMIT", value);
        }
        let server = place.start(command);
        let token = server.admin().post(
            &format!("{}/tokens", crate::binary::PROD),
            &json!({"description": "with the server's limit", "kind": "client"}),
        );
        let token = text(&token.expect(201)["token"]);
        let reply = server.bearer(&token).post("/api/v1/evaluate", &json!({}));
        reply.header("ratelimit-limit").expect("a limit").parse::<u32>().expect("a number")
    };
    assert_eq!(limit(&[], None), 100);
    assert_eq!(limit(&["--config", config], None), 33);
    assert_eq!(limit(&["--config", config], Some("44")), 44);
    assert_eq!(limit(&["--config", config, "--rate-limit", "55"], Some("44")), 55);
    // The same with the word, and with the flag on either side of it.
    assert_eq!(limit(&["serve", "--config", config], Some("44")), 44);
    assert_eq!(limit(&["serve", "--rate-limit", "55"], Some("44")), 55);
    assert_eq!(limit(&["--rate-limit", "55", "serve"], Some("44")), 55);
    assert_eq!(limit(&["--rate-limit", "55", "serve", "--rate-limit", "66"], Some("44")), 66);
}

#[test]
fn a_config_file_with_a_mistake_is_told_with_its_line() {
    let place = Place::shop();
    for (text, wanted) in [
        (
            "# ours\nlisten = \"127.0.0.1:0\"\ncolour = \"red\"\n",
            "line 3: unknown field `colour`, expected one of `db`, `listen`",
        ),
        ("listen = 8080\n", "line 1: invalid type: integer `8080`, expected a string"),
        ("\nlisten = \n", "line 2: "),
        ("durability = \"some\"\n", "line 1: unknown variant `some`, expected `full` or `normal`"),
        ("retention-days = 0\n", "--retention-days: must be from 1 to 36500"),
        ("base-url = \"nonsense\"\n", "--base-url nonsense: must be a URL"),
    ] {
        let config = place.file("featured.toml", text);
        let line = place.run(["--config", config.to_str().expect("a path")]).failed(2);
        assert!(line.contains(wanted), "{text:?}: {line}");
    }
}

#[test]
fn every_option_can_stand_in_the_config_file() {
    let place = Place::shop();
    let config = place.file(
        "featured.toml",
        &format!(
            r#"
            db = {:?}
            listen = "127.0.0.1:0"
            base-url = "https://flags.example"
            dev = true
            demo = false
            durability = "normal"
            log-format = "json"
            cache-ttl = 0
            heartbeat = 5
            rate-limit = 7
            max-environments = 3
            allowed-origin = ["https://shop.example"]
            trusted-proxy = ["10.0.0.0/8", "127.0.0.1"]
            retention-days = 30
            "#,
            place.db
        ),
    );
    let mut command = featured(["--config"]);
    command.arg(config);
    let server = place.start(command);
    server.client().post("/api/v1/evaluate", &json!({})).expect(200);
    let log = server.log();
    let line: Value = serde_json::from_str(log.lines().last().expect("a line")).expect("a log line is JSON");
    assert_eq!(line["fields"]["message"], "answered", "dev logs every request: {log}");
}

#[test]
fn switches_take_no_value_from_the_next_word() {
    for (args, filled) in [
        (&["--demo", "serve"][..], true),
        (&["serve", "--demo"], true),
        (&["--demo=true"], true),
        (&["--demo=no"], false),
    ] {
        let place = Place::empty();
        let mut command = place.featured(args);
        command.args(["--listen", "127.0.0.1:0"]);
        let _server = place.start(command);
        assert_eq!(place.number("SELECT count(*) FROM sites") == 1, filled, "{args:?}");
    }
    let place = Place::empty();
    let mut command = place.featured(["--listen", "127.0.0.1:0"]);
    command.env("FEATURED_DEMO", "1");
    let _server = place.start(command);
    assert_eq!(place.number("SELECT count(*) FROM sites"), 1);
}

#[test]
fn the_demo_fills_an_empty_database_only() {
    let place = Place::shop();
    drop(place.serve_with(&["--demo"]));
    assert_eq!(place.number("SELECT count(*) FROM features"), 4);
    let place = Place::empty();
    drop(place.serve_with(&["--demo"]));
    let features = place.number("SELECT count(*) FROM features");
    assert!(features > 4);
    place.open().execute("DELETE FROM features WHERE key = 'legacy_search'", []).expect("a change");
    drop(place.serve_with(&["--demo"]));
    assert_eq!(place.number("SELECT count(*) FROM features"), features - 1, "a second start changes nothing");
}

#[test]
fn the_first_admin_comes_from_variables_and_only_into_an_empty_database() {
    let start = |place: &Place, variables: &[(&str, &str)]| {
        let mut command = place.featured(["--listen", "127.0.0.1:0"]);
        command.envs(variables.iter().copied());
        place.try_start(command)
    };
    let first = [
        ("FEATURED_ADMIN_USERNAME", "root"),
        ("FEATURED_ADMIN_EMAIL", "root@shop.example"),
        ("FEATURED_ADMIN_PASSWORD", "a quiet harbour"),
    ];
    let place = Place::empty();
    for _ in 0..2 {
        drop(start(&place, &first).expect("it starts"));
        let users = place.run(["user", "list", "--json"]).json();
        assert_eq!(users.as_array().map(Vec::len), Some(1));
        assert_eq!((&users[0]["username"], &users[0]["role"]), (&json!("root"), &json!("admin")));
    }
    let place = Place::shop();
    drop(start(&place, &first).expect("it starts"));
    assert_eq!(place.number("SELECT count(*) FROM users"), 1, "ana was there first");

    let place = Place::empty();
    let ended = start(&place, &first[..2]).err().expect("half of it is refused");
    assert!(ended.failed(2).starts_with("set all of FEATURED_ADMIN_USERNAME, "));
    let weak = [first[0], first[1], ("FEATURED_ADMIN_PASSWORD", "password")];
    let ended = start(&place, &weak).err().expect("a weak password is refused");
    let line = ended.stderr.lines().last().expect("a line");
    assert_eq!(line, "featured: FEATURED_ADMIN_…: password is one of the most common passwords");
    let none = first.map(|(name, _)| (name, ""));
    drop(start(&place, &none).expect("empty variables are none"));
    assert_eq!(place.number("SELECT count(*) FROM users"), 0);
}

#[test]
fn max_environments_counts_for_the_server_and_for_import() {
    let place = Place::shop();
    let config = place.file("featured.toml", "max-environments = 9\n");
    let config = config.to_str().expect("a path");
    let more = format!("{SHOP}  - {{name: test}}\n");
    let import = |args: &[&str], variables: &[(&str, &str)], document: &str| {
        let mut command = place.featured(["import", "-", "--dry-run"].iter().chain(args));
        command.envs(variables.iter().copied());
        Ended::with_input(&mut command, document)
    };
    import(&[], &[], &more).ok();
    let refused = import(&[], &[("MAX_ENVIRONMENTS", "2")], &more).failed(1);
    assert!(refused.ends_with("a site has at most 2 environments"), "{refused}");
    // A variable beats the file, the one with our name in front beats the other.
    import(&["--config", config], &[("MAX_ENVIRONMENTS", "2")], &more).failed(1);
    import(&[], &[("MAX_ENVIRONMENTS", "2"), ("FEATURED_MAX_ENVIRONMENTS", "3")], &more).ok();
    // What adds none is not refused by a limit that was lowered.
    import(&[], &[("MAX_ENVIRONMENTS", "1")], SHOP).ok();
    let line = import(&[], &[("MAX_ENVIRONMENTS", "many")], SHOP).failed(2);
    assert_eq!(line, "MAX_ENVIRONMENTS many: must be a whole number");

    let mut command = place.featured(["--listen", "127.0.0.1:0"]);
    command.env("MAX_ENVIRONMENTS", "3");
    let server = place.start(command);
    let make = |name: &str| server.admin().post("/api/v1/sites/shop/environments", &json!({ "name": name }));
    make("test").expect(201);
    assert_eq!(make("more").expect(409)["error"]["code"], "limit_reached");
}
