//! What the engine must not know (style §1): the web, the database, the clock, chance, files.

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The lines that are neither comments nor below the test module.
fn code(source: &str) -> impl Iterator<Item = &str> {
    source
        .lines()
        .take_while(|line| !line.starts_with("mod tests"))
        .filter(|line| !line.trim_start().starts_with("//"))
}

/// Whether a line has the word, not only as the end of a longer name.
fn mentions(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_'))
}

#[test]
fn the_engine_knows_neither_web_nor_database_nor_clock_nor_chance() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine"), &mut files);
    assert!(files.len() > 15, "{files:?}");
    let forbidden = [
        "actix",
        "rusqlite",
        "r2d2",
        "moka",
        "tokio",
        "rand",
        "std::fs",
        "std::env",
        "std::thread",
        "TcpStream",
        "SystemTime",
        "Instant",
        "now_utc",
        "now_local",
        "now_v7",
        "new_v4",
        "crate::store",
        "crate::live",
        "crate::api",
        "crate::admin",
        "crate::app",
        "crate::auth",
        "crate::jobs",
        "crate::ui",
        "crate::clock",
    ];
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !file.ends_with("tests.rs")) {
        let source = std::fs::read_to_string(file).expect("a source");
        for line in code(&source) {
            let words = forbidden.iter().filter(|word| mentions(line, word));
            found.extend(words.map(|word| format!("{word} in {}: {line}", file.display())));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_search_skips_comments_tests_and_longer_names_only() {
    let source =
        "//! actix\nuse a;\n    // rusqlite\nuse b; // c\n#[cfg(test)]\nmod tests {\n use std::fs;\n}";
    assert_eq!(code(source).collect::<Vec<_>>(), ["use a;", "use b; // c", "#[cfg(test)]"]);
    assert!(mentions("use rand::Rng;", "rand") && mentions("x(actix_web::y)", "actix"));
    assert!(!mentions("Operand::Text", "rand") && !mentions("operand", "rand"));
}
