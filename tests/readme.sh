#!/usr/bin/env bash
# Types the README's own commands, as written, in an empty folder of a copy of the tree: sets up, runs the server,
# walks through the first steps, and checks what a reader is told to see. An argument is a release binary of this tree
# that stands in for the one its build would make (CI has just made one, and building takes minutes).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
binary=${1:+$(realpath "$1")}
server='' stream=''
cleanup() {
  [ -z "$stream" ] || kill "$stream" 2>/dev/null || true
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

fail() { echo "README: $*" >&2; exit 1; }

# Block N (from 1) of the README's sh blocks.
block() {
  awk -v want="$1" '/^```sh$/ {n++; inside = (n == want); next} /^```$/ {inside = 0} inside' "$root/README.md"
}

[ "$(block 3)" = 'cargo test' ] || fail 'the third block is not the test command'

# The set-up: the clone is this tree, the build shares its target folder.
block 1 | sed -n 1p | grep -q '^git clone REPOSITORY featured && cd featured$' || fail 'the first command changed'
git clone -q "$root" "$work/featured"
cd "$work/featured"
[ "$(block 1 | sed 1d)" = 'cargo build --release --locked' ] || fail 'the second command changed'
if [ -n "$binary" ]; then
  mkdir -p target/release
  cp "$binary" target/release/featured
else
  ln -s "$root/target" target
  bash -euc "$(block 1 | sed 1d)"
fi

bash -c "exec $(block 2)" >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 100); do
  ./target/release/featured healthcheck 2>/dev/null && break
  kill -0 "$server" 2>/dev/null || { cat "$work/server.log" >&2; fail 'the server did not start'; }
  sleep 0.1
done

# The second terminal; the third shares its variables, as the reader's does.
{
  block 4
  echo 'echo; echo ==stream'
  echo "{ $(block 5); } >'$work/stream' & echo \$! >'$work/stream.pid'"
  echo "for _ in \$(seq 100); do grep -q '^event: snapshot' '$work/stream' && break; sleep 0.1; done"
  block 6
  echo "for _ in \$(seq 100); do grep -q '^event: update' '$work/stream' && break; sleep 0.1; done"
  echo 'echo; echo ==explain'
  block 7
  echo 'echo; echo ==document'
  block 8
} >"$work/second.sh"
bash -eu "$work/second.sh" >"$work/out" 2>&1 || { cat "$work/out" >&2; fail 'a command failed'; }
stream=$(cat "$work/stream.pid")

see() { grep -q -- "$1" "$2" || { cat "$2" >&2; fail "expected to see: $1"; }; }
see '"AIChatDeepResearch":{"value":{"enable":\["AIChatDeepResearch"\]' "$work/out"
see '"reason":"TARGETING_MATCH"' "$work/out"
see '"enabled":false' "$work/out"
see '^event: update' "$work/stream"
see '"AIChatDeepResearch":{"value":null' "$work/stream"
see '"matchedRule":' "$work/out"
see '0 created, 0 updated, 0 deleted, 182 unchanged' "$work/out"
curl -sf http://127.0.0.1:8080/api/docs >/dev/null || fail '/api/docs is not there'
curl -sf http://127.0.0.1:8080/api/v1/openapi.json >/dev/null || fail 'openapi.json is not there'

kill -TERM "$server"
wait "$server" || fail 'the server did not end with 0'
server=''
echo 'README: every command works as written'
