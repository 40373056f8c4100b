#!/bin/sh
# Measures the built server over HTTP and prints ratios against bare actix and raw SQLite (Linux, two cores
# or more, taskset). Takes about four minutes, listens on loopback only, ends only what it started.
#
#   benches/load/run.sh               every bar
#   benches/load/run.sh --large       also 10 000 and 100 000 flags: start, memory, one write
#   benches/load/run.sh --streams 500 that many streams instead of 10 000; 0 leaves them out
#   benches/load/run.sh --rounds 3    quicker and rougher; --only TEXT for the rows with TEXT in their name
#
# FEATURED_BIN names another binary than target/release/featured, TMPDIR another place for the databases.
set -eu
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
cargo build --release --quiet --example load
if [ -z "${FEATURED_BIN:-}" ]; then
    cargo build --release --quiet
    FEATURED_BIN=$target/release/featured
fi
exec taskset -c 1 "$target/release/examples/load" --server "$FEATURED_BIN" "$@"
