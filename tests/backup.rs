//! `featured backup` and `featured restore`: a copy while the server writes, and the way back.

use serde_json::json;

use crate::binary::{PROD, Place, SHOP};

#[test]
fn a_backup_is_made_while_serving_and_put_back_once_the_server_has_ended() {
    let place = Place::shop();
    let server = place.serve();
    let greet = |text: &str| {
        let path = format!("{PROD}/features/greeting");
        server.admin().patch(&path, &json!({ "defaultValue": text })).expect(200);
    };
    greet("saved");
    let out = place.path("copy.db");
    let said = place.run(["backup".as_ref(), out.as_os_str()]).ok();
    assert!(said.contains("copy.db") && said.contains("key"), "it says that the key is not in it: {said}");
    assert!(place.run(["backup".as_ref(), out.as_os_str()]).failed(1).contains("there already"));
    greet("lost");
    let refused = place.run(["restore".as_ref(), out.as_os_str()]).failed(1);
    assert!(refused.contains("a server runs on"), "{refused}");
    assert_eq!(server.terminate().code(), Some(0));
    let said = place.run(["restore".as_ref(), out.as_os_str()]).ok();
    assert!(said.contains("before-restore"), "{said}");
    let server = place.serve();
    assert_eq!(server.values(json!({}))["greeting"], "saved");
    assert_eq!(server.terminate().code(), Some(0));
    // What was there before was kept.
    let old = place.path("flags.db.before-restore");
    place.run(["restore".as_ref(), old.as_os_str()]).ok();
    assert_eq!(place.serve().values(json!({}))["greeting"], "lost");
    assert!(place.path("flags.db.before-restore2").exists());
}

#[test]
fn what_is_no_backup_is_refused_and_changes_nothing() {
    let place = Place::shop();
    let before = std::fs::read(&place.db).expect("the file");
    let text = place.file("notes.txt", "not a database, however long the text in it may be");
    assert!(place.run(["restore".as_ref(), text.as_os_str()]).failed(1).contains("not a database"));
    let gone = place.path("gone.db");
    place.run(["restore".as_ref(), gone.as_os_str()]).failed(1);
    let foreign = place.path("foreign.db");
    rusqlite::Connection::open(&foreign).expect("a file").execute_batch("CREATE TABLE t (x)").expect("SQL");
    assert!(
        place.run(["restore".as_ref(), foreign.as_os_str()]).failed(1).contains("not a database of featured")
    );
    // Cut off in the middle.
    let cut = place.path("cut.db");
    std::fs::write(&cut, &before[..before.len() / 2]).expect("a file");
    place.run(["restore".as_ref(), cut.as_os_str()]).failed(1);
    assert_eq!(std::fs::read(&place.db).expect("the file"), before);
    assert!(!place.path("flags.db.part").exists());
}

#[test]
fn what_is_damaged_is_put_aside_as_it_was_and_the_backup_takes_its_place() {
    let place = Place::shop();
    let out = place.path("copy.db");
    place.run(["backup".as_ref(), out.as_os_str()]).ok();
    let whole = std::fs::read(&place.db).expect("the file");
    // The first page is right, which is all that is read when the file is opened.
    let mut overwritten = whole.clone();
    overwritten[4096..].fill(0xaa);
    let cases = [
        ("overwritten", "", overwritten),
        ("cut off", "2", whole[..whole.len() / 2].to_vec()),
        ("no database", "3", b"not a database, however long the text in it may be".to_vec()),
        ("empty", "4", Vec::new()),
    ];
    for (what, number, bytes) in cases {
        std::fs::write(&place.db, &bytes).expect("a file");
        let said = place.run(["restore".as_ref(), out.as_os_str()]).ok();
        let name = format!("flags.db.before-restore{number}");
        assert!(said.contains(&format!("{name}, as it was")), "{what}: {said}");
        assert_eq!(std::fs::read(place.path(&name)).expect("what was there"), bytes, "{what}");
        let backup = std::fs::read(&out).expect("the backup");
        assert_eq!(std::fs::read(&place.db).expect("the file"), backup, "{what}");
        for part in ["flags.db.part".to_owned(), format!("{name}.part")] {
            assert!(!place.path(&part).exists(), "{what}: {part}");
        }
    }
    assert_eq!(place.serve().values(json!({}))["greeting"], "Hello");
}

#[cfg(unix)]
#[test]
fn databases_and_copies_are_for_their_owner_alone() {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    let place = Place::empty();
    place.import(SHOP);
    let server = place.serve();
    let out = place.path("copy.db");
    place.run(["backup".as_ref(), out.as_os_str()]).ok();
    let private = |place: &Place, name: &str| {
        let mode = metadata(place.path(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    };
    for name in ["flags.db", "flags.db-wal", "copy.db"] {
        private(&place, name);
    }
    assert_eq!(server.terminate().code(), Some(0));
    // A backup that was elsewhere meanwhile may have come back open to everybody.
    set_permissions(&out, Permissions::from_mode(0o644)).expect("a mode");
    place.run(["restore".as_ref(), out.as_os_str()]).ok();
    for name in ["flags.db", "flags.db.before-restore"] {
        private(&place, name);
    }
    let old = Place::empty();
    old.open().execute_batch(include_str!("data/schema-v1.sql")).expect("the old tables");
    old.open()
        .execute_batch("PRAGMA user_version = 1; PRAGMA application_id = 0x66656174;")
        .expect("the old version");
    old.run(["check"]).ok();
    private(&old, "flags.db.v1.bak");
}
