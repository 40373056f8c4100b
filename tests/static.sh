#!/usr/bin/env bash
# Checks the release binary: nothing to load, small, and at home in a chroot that holds nothing else. Argument: the binary.
set -euo pipefail
binary=$(realpath "$1")
fail() { echo "static binary: $*" >&2; exit 1; }

found=$(ldd "$binary" 2>&1 || true)
grep -Eq 'statically linked|not a dynamic executable' <<<"$found" || fail "ldd finds something to load: $found"
size=$(stat -c %s "$binary")
((size <= 15 * 1000 * 1000)) || fail "$size bytes, more than 15 MB"

if [ "$(id -u)" != 0 ]; then
  echo '!! static binary: not root: NOT RUN: the empty chroot' >&2
  [ "${CI:-}" != true ] || exit 1
  exit 0
fi
jail=$(mktemp -d)
server=''
cleanup() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$jail"; }
trap cleanup EXIT
cp "$binary" "$jail/featured"
chroot "$jail" /featured --db /flags.db --demo --listen 127.0.0.1:0 >"$jail/out" 2>"$jail/err" &
server=$!
for _ in $(seq 100); do
  url=$(sed -n 's/^listening on //p' "$jail/out")
  [ -z "$url" ] || break
  kill -0 "$server" 2>/dev/null || { cat "$jail/err" >&2; fail 'it does not start in an empty chroot'; }
  sleep 0.1
done
[ -n "$url" ] || fail 'it does not listen'
curl -sf "$url/readyz" >/dev/null || fail 'it is not ready'
# A name is looked up without any file beside the binary: it fails at once, as unknown, not as a crash.
chroot "$jail" /featured healthcheck http://no.such.name.invalid 2>"$jail/lookup" && fail 'an unknown name resolved'
grep -q 'no.such.name.invalid' "$jail/lookup" || { cat "$jail/lookup" >&2; fail 'looking a name up went wrong'; }
kill -TERM "$server"
wait "$server" || fail 'it did not end with 0'
server=''
echo "static binary: $size bytes, serves from an empty chroot"
