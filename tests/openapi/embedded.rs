//! What is embedded is what the code says. `REGENERATE=1 cargo test --test main openapi::embedded` writes it anew.

use std::io::Write;
use std::path::Path;

use featured::api::rest::{description, openapi};
use featured::ui::docs;
use flate2::Compression;
use flate2::write::GzEncoder;

fn check(name: &str, generated: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name);
    let embedded = std::fs::read(&file).expect("an asset");
    if openapi::unpacked(&embedded).expect("gzip") == generated {
        return;
    }
    if std::env::var_os("REGENERATE").is_none() {
        panic!(
            "assets/{name} is not what the code says: REGENERATE=1 cargo test --test main openapi::embedded"
        );
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(generated.as_bytes()).expect("gzip");
    std::fs::write(&file, gzip.finish().expect("gzip")).expect("written");
}

#[test]
fn the_description_is_what_the_types_say() {
    check("openapi.json.gz", &description::document().to_pretty_json().expect("JSON"));
}

#[test]
fn the_pages_are_what_the_description_says() {
    let pages = docs::pages(&description::document());
    check("docs.json.gz", &serde_json::to_string(&pages).expect("JSON"));
}
