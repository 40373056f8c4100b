//! `featured backup` and `featured restore`: a copy while the server writes, and the way back.

use serde_json::json;

use crate::binary::{PROD, Place};

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
