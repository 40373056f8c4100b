#!/bin/sh
# Runs every client suite against the built server: the JavaScript client in Node and Chromium, and the manual's
# React, Node and Python examples. Exits non-zero on any failure.
#
#   FEATURED_BIN   the server's binary (default: the debug build)
#   CHROMIUM       the browser (default: /usr/bin/chromium)
#   PAGES_SHOTS    a folder in which pictures of every page of the admin UI are kept, to be looked at (default: none)
#   CI=true        a missing tool is a failure; otherwise its suites are left out, loudly
set -eu
here=$(cd "$(dirname "$0")" && pwd)
FEATURED_BIN=${FEATURED_BIN:-$here/../../target/debug/featured}
CHROMIUM=${CHROMIUM:-/usr/bin/chromium}

if [ ! -x "$FEATURED_BIN" ]; then
    echo "!! clients: no server at $FEATURED_BIN: build it first (cargo build), or set FEATURED_BIN" >&2
    exit 1
fi
FEATURED_BIN=$(realpath "$FEATURED_BIN")
export FEATURED_BIN CHROMIUM
if [ -n "${PAGES_SHOTS:-}" ]; then
    PAGES_SHOTS=$(realpath -m "$PAGES_SHOTS")
    export PAGES_SHOTS
fi
cd "$here"

# missing TOOL SUITES: says what is left out; in CI nothing may be.
missing() {
    echo "!! clients: $1 is missing: NOT RUN: $2" >&2
    if [ "${CI:-}" = true ]; then exit 1; fi
}

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    missing "Node.js (node and npm)" "every suite"
    exit 0
fi

if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    npm ci --no-audit --no-fund
fi

tests="packaging feature-config stream restart node-service featurehub featurehub-evaluation openfeature-server flagr"
if command -v go >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null; then
    tests="$tests help"
else
    missing "Go, or Python 3 with venv" "the code of the help pages"
fi
if [ -x "$CHROMIUM" ]; then
    tests="$tests browser react featurehub-browser openfeature-browser farfetched analytics branding contexts journeys pages"
else
    missing "Chromium ($CHROMIUM; apt-get install chromium)" "the browser, React, Farfetched and admin UI suites"
fi
files=$(printf '%s.test.mjs ' $tests)
# One file at a time: they change features of the same site. The limit is for a whole file, on a busy machine.
set -- "node --test --test-concurrency=1 --test-timeout=600000 --test-reporter=spec ${files% }"

if ! command -v python3 >/dev/null || ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    missing "Python 3 with venv" "the Python suite"
else
    if ! cmp -s requirements.txt .venv/requirements.txt; then
        rm -rf .venv
        python3 -m venv .venv
        .venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
        cp requirements.txt .venv/requirements.txt # last: the mark of a finished installation
    fi
    set -- "$@" ".venv/bin/python -B -m unittest -v test_feature_config.py test_featurehub.py test_openfeature.py test_flagr.py"
fi

# SDKs in the languages that are compiled.
if command -v go >/dev/null; then
    set -- "$@" "go -C openfeature-go test -count=1 ./..."
else
    missing "Go" "OpenFeature's Go SDK"
fi
if command -v mvn >/dev/null && command -v javac >/dev/null; then
    set -- "$@" "mvn -q -B -f openfeature-java/pom.xml test" "mvn -q -B -f featurehub-java/pom.xml test"
else
    missing "Java (maven and openjdk-17-jdk-headless)" "OpenFeature's and FeatureHub's Java SDKs"
fi
if command -v cargo >/dev/null; then
    set -- "$@" "cargo test --quiet --locked --manifest-path openfeature-rust/Cargo.toml"
else
    missing "Cargo" "OpenFeature's Rust SDK"
fi

exec node run.mjs "$@"
