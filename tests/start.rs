//! A server that cannot start says why in one line and ends with 1; what it must not touch stays as it was.

use std::net::TcpListener;
use std::path::Path;

use crate::binary::{Ended, Place, exe, featured};

fn start(db: &Path) -> Ended {
    let mut command = featured(["--listen", "127.0.0.1:0", "--db"]);
    command.arg(db);
    Ended::of(command)
}

/// Starts on a file that must be refused and stay as it is.
#[track_caller]
fn refused(place: &Place, wanted: &str) {
    let before = std::fs::read(&place.db).expect("the file");
    let line = start(&place.db).failed(1);
    assert!(line.contains(wanted), "{line}");
    assert_eq!(std::fs::read(&place.db).expect("the file"), before, "the file was changed");
    let mut left: Vec<_> = std::fs::read_dir(place.path("")).expect("the folder").flatten().collect();
    left.retain(|entry| entry.path() != place.db);
    assert!(left.is_empty(), "{left:?} was left behind");
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    for bytes in [b"Dear diary,".to_vec(), vec![0x5a; 10_000]] {
        let place = Place::empty();
        std::fs::write(&place.db, bytes).expect("a file");
        refused(&place, "this file is not a database");
    }
}

#[test]
fn a_database_of_another_program_is_refused_whatever_its_version() {
    for (version, application) in [(0, 0), (1, 0), (2, 0), (77, 0), (2, 0x1234), (77, 0x1234)] {
        let place = Place::empty();
        place
            .open()
            .execute_batch(&format!(
                "CREATE TABLE places (id); PRAGMA user_version = {version}; PRAGMA application_id = {application};"
            ))
            .expect("a database");
        refused(&place, "is a database of another program");
    }
    // An empty file with a version was made by somebody, too.
    let place = Place::empty();
    place.open().execute_batch("PRAGMA user_version = 5").expect("a database");
    refused(&place, "is a database of another program");
}

#[test]
fn a_newer_database_is_refused_by_its_version() {
    let place = Place::shop();
    place
        .open()
        .execute_batch("PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)")
        .expect("a version");
    refused(&place, "was written by a newer featured (its version 99,");
}

#[test]
fn a_path_that_cannot_be_a_file_is_told() {
    let place = Place::shop();
    let folder = place.path("folder");
    std::fs::create_dir(&folder).expect("a folder");
    assert!(start(&folder).failed(1).ends_with("is a directory, not a database file"));
    for path in [place.db.join("flags.db"), folder.join("absent").join("flags.db")] {
        let line = start(&path).failed(1);
        assert!(
            line.ends_with("the file cannot be opened or made (check the folder and its permissions)"),
            "{line}"
        );
    }
}

#[test]
fn a_port_in_use_and_a_foreign_address_are_told_before_a_database_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let place = Place::empty();
    assert_eq!(
        place.run(["--listen", &address]).failed(1),
        format!("{address} is in use by another program")
    );
    let line = place.run(["--listen", "192.0.2.1:80"]).failed(1);
    assert!(line.starts_with("cannot listen on 192.0.2.1:80: "), "{line}");
    assert!(!place.db.exists());
}

/// Runs a copy of the binary as somebody who may not write to the place: as `nobody` when the tests run as root,
/// whom permissions do not stop.
#[cfg(unix)]
mod permissions {
    use std::fs::{Permissions, copy, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    fn start_as_nobody(place: &Place) -> Ended {
        let root = rustix::process::geteuid().is_root();
        let program = Place::empty();
        let path = program.path("featured");
        copy(exe(), &path).expect("a copy of the binary");
        set_permissions(program.path(""), Permissions::from_mode(0o755)).expect("permissions");
        let mut command = Command::new(path);
        command.args(["--listen", "127.0.0.1:0", "--db"]).arg(&place.db).env_clear();
        if root {
            command.uid(65534).gid(65534);
        }
        Ended::of(command)
    }

    #[test]
    fn a_folder_without_permission_is_told() {
        let place = Place::empty();
        set_permissions(place.path(""), Permissions::from_mode(0o555)).expect("permissions");
        let line = start_as_nobody(&place).failed(1);
        assert!(
            line.ends_with("the file cannot be opened or made (check the folder and its permissions)"),
            "{line}"
        );
    }

    #[test]
    fn a_file_that_can_be_read_only_is_told() {
        let place = Place::shop();
        set_permissions(&place.db, Permissions::from_mode(0o444)).expect("permissions");
        set_permissions(place.path(""), Permissions::from_mode(0o755)).expect("permissions");
        let line = start_as_nobody(&place).failed(1);
        assert!(line.contains("permissions"), "{line}");
    }
}
