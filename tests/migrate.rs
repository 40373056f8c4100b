//! Older databases are lifted: nothing is lost, a copy is kept, and what comes out is what a new one looks like.

use featured::store::migrate::VERSION;
use rusqlite::Connection;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::binary::{PROD, Place};

/// The tables of version 1, as that version made them.
const V1: &str = include_str!("data/schema-v1.sql");
const CLIENT: &str = "alm_env_shop_prod_0123456789abcdefghijklmnopqr";
const PERSONAL: &str = "alm_pat_0123456789abcdefghijklmnopqr";

/// A database of version 1 with a row in every table that matters.
fn old_place() -> Place {
    let mut place = Place::empty();
    let conn = place.open();
    conn.execute_batch(V1).expect("the old tables");
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA user_version = 1; PRAGMA application_id = 0x66656174;
         INSERT INTO users (id, uuid, username, email, role, password, created_at)
         VALUES (1, '018f0000-0000-7000-8000-000000000001', 'ana', 'ana@shop.example', 'admin', '$argon2id$', 1);
         INSERT INTO sites VALUES (1, '018f0000-0000-7000-8000-000000000002', 'shop', 'Shop', '', 1, 1, 1);
         INSERT INTO environments (id, uuid, site_id, name, description, tags, status, revision, created_at, updated_at)
         VALUES (1, '018f0000-0000-7000-8000-000000000003', 1, 'prod', '', '[]', 'active', 7, 1, 1);
         INSERT INTO segments
         VALUES (1, '018f0000-0000-7000-8000-000000000004', 1, 'staff', 'Staff',
                 '{\"attribute\":\"email\",\"operator\":\"ends_with\",\"value\":\"@shop.example\"}', 1, 1);
         INSERT INTO features (id, uuid, environment_id, key, type, default_value, enabled, description, tags,
                               bucketing, version, created_at, updated_at, updated_by)
         VALUES (1, '018f0000-0000-7000-8000-000000000005', 1, 'limit', 'NUMBER', '1.50', 1, '', '[]', 'sha256', 3, 1, 1, 'ana');
         INSERT INTO rules
         VALUES (1, '018f0000-0000-7000-8000-000000000006', 1, 0, 'Staff', 50, 1, '{\"segment\":\"staff\"}', NULL, '{\"value\":9}');
         INSERT INTO variants VALUES (1, 1, 0, 'many', '100', NULL);
         INSERT INTO contexts VALUES (1, 'team:blue', '', 1, 1, 1, 'ana');
         INSERT INTO context_values VALUES (1, 'team:blue', 1, '5');
         INSERT INTO counters VALUES ('credentials', 2);",
    )
    .expect("rows");
    let hash = |secret: &str| -> [u8; 32] { Sha256::digest(secret).into() };
    conn.execute(
        "INSERT INTO tokens (id, uuid, environment_id, description, kind, permissions, hash, featurehub_hash, rate_limit,
                             created_at, created_by)
         VALUES (1, '018f0000-0000-7000-8000-000000000007', 1, 'page', 'client', '[\"READ\"]', ?1, ?2, 0, 1, 'ana')",
        (hash(CLIENT), hash("featurehub")),
    )
    .expect("a token");
    conn.execute(
        "INSERT INTO personal_tokens VALUES (1, '018f0000-0000-7000-8000-000000000008', 1, 'script', ?1, NULL, 1, NULL)",
        [hash(PERSONAL)],
    )
    .expect("a personal token");
    place.secrets.client = CLIENT.into();
    place.secrets.admin = PERSONAL.into();
    place
}

/// Every object of a schema, without the layout of its SQL.
fn schema(conn: &Connection) -> Vec<(String, String, String)> {
    let mut statement = conn
        .prepare("SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name")
        .expect("SQL");
    let rows = statement.query_map([], |row| {
        let sql: String = row.get(2)?;
        Ok((row.get(0)?, row.get(1)?, sql.split_whitespace().collect::<Vec<_>>().join(" ")))
    });
    rows.expect("rows").collect::<rusqlite::Result<_>>().expect("rows")
}

fn pragma(conn: &Connection, name: &str) -> i64 {
    conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).expect("a number")
}

#[test]
fn an_old_database_is_lifted_with_all_its_rows_and_a_copy_beside_it() {
    let place = old_place();
    let server = place.serve();
    assert_eq!(server.values(json!({}))["limit"], 1.5);
    assert_eq!(server.values(json!({"email": "bo@shop.example"}))["limit"], 9);
    assert_eq!(server.values(json!({"userId": "team:blue"}))["limit"], 5);
    let changed =
        server.admin().patch(&format!("{PROD}/features/limit"), &json!({"defaultValue": 2})).expect(200);
    assert_eq!((&changed["version"], &changed["variants"][0]["key"]), (&json!(4), &json!("many")));
    drop(server);

    let lifted = place.open();
    assert_eq!(pragma(&lifted, "user_version"), VERSION);
    let copy = Connection::open(place.path("flags.db.v1.bak")).expect("the copy");
    assert_eq!((pragma(&copy, "user_version"), pragma(&copy, "application_id")), (1, 0x6665_6174));
    let kept: String =
        copy.query_row("SELECT default_value FROM features", [], |row| row.get(0)).expect("a row");
    assert_eq!(kept, "1.50", "the copy is of before");
    assert_eq!(place.run(["check"]).ok(), "ok, 1 features\n");
    crate::crash::assert_whole_chain(&place);
}

#[test]
fn a_lifted_database_has_the_tables_of_a_new_one() {
    let old = old_place();
    old.run(["check"]).ok();
    let new = Place::empty();
    new.import("{\"version\": 1, \"site\": {\"slug\": \"s\", \"name\": \"S\"}, \"environments\": []}");
    let (lifted, fresh) = (schema(&old.open()), schema(&new.open()));
    for (one, other) in lifted.iter().zip(&fresh) {
        assert_eq!(one, other);
    }
    assert_eq!(lifted.len(), fresh.len());
    for name in ["user_version", "application_id"] {
        assert_eq!(pragma(&old.open(), name), pragma(&new.open(), name), "{name}");
    }
}

#[test]
fn programs_that_start_at_once_on_an_old_database_all_come_up_and_make_one_copy() {
    for _ in 0..3 {
        let place = old_place();
        std::thread::scope(|scope| {
            let starting: Vec<_> = (0..3).map(|_| scope.spawn(|| place.serve())).collect();
            for server in starting {
                let server = server.join().expect("it starts");
                assert_eq!(server.values(json!({}))["limit"], 1.5);
            }
        });
        let copies = std::fs::read_dir(place.path("")).expect("the folder").flatten();
        let names: Vec<_> = copies
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.contains(".v1."))
            .collect();
        assert_eq!(names, ["flags.db.v1.bak"]);
    }
}

#[test]
fn an_older_copy_is_not_written_over() {
    let place = old_place();
    place.file("flags.db.v1.bak", "precious");
    place.file("flags.db.v1.bak2.part", "what a crash left");
    place.run(["check"]).ok();
    assert_eq!(std::fs::read_to_string(place.path("flags.db.v1.bak")).expect("a file"), "precious");
    let copy = Connection::open(place.path("flags.db.v1.bak2")).expect("the copy");
    assert_eq!(pragma(&copy, "user_version"), 1);
    assert!(!place.path("flags.db.v1.bak2.part").exists());
}

#[test]
fn a_database_is_left_alone_when_it_cannot_be_copied() {
    let place = old_place();
    // A folder in the way of the copy that is being written.
    std::fs::create_dir(place.path("flags.db.v1.bak.part")).expect("a folder");
    let line = place.run(["check"]).failed(1);
    assert!(line.contains("the copy before the upgrade failed"), "{line}");
    assert_eq!(pragma(&place.open(), "user_version"), 1);
}
