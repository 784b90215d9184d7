#!/usr/bin/env bash
# Walk the path of somebody who was only given this folder: `make run` in a copy of it, with nothing of a developer's
# around, must serve and stop when asked. The tests run on the developers' packages and would not miss one of ours.
set -euo pipefail
cd "$(dirname "$0")/.."
SECONDS_MAX=${SECONDS_MAX:-300} # for installing; serving takes a few

there=$(mktemp -d)
log=$there/make-run.log
running=
end() {
    status=$?
    if [ -n "$running" ]; then kill -KILL -- "-$running" 2>/dev/null || true; fi
    if [ "$status" != 0 ]; then
        printf '\n!!! `make run` does not work for a stranger. What it said:\n' >&2
        cat "$log" >&2 || true
    fi
    rm -rf "$there"
    exit "$status"
}
trap end EXIT

present() { while IFS= read -r -d '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done; }
git ls-files -z --cached --others --exclude-standard | present | tar --null --files-from=- -cf - | tar -xf - -C "$there"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
answers() { python3 -c 'import sys, urllib.request as u; u.build_opener(u.ProxyHandler({})).open(sys.argv[1], timeout=5)' "http://127.0.0.1:$port$1" 2>>"$log"; }
listens() { python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2)' "$port" 2>/dev/null; }

set -m # a process group of its own, to be stopped as a whole
(cd "$there" && unset VIRTUAL_ENV && exec env -u PYTHONPATH make run PORT="$port") >"$log" 2>&1 </dev/null &
running=$!
set +m

until listens; do
    kill -0 "$running" 2>/dev/null || { echo "It ended by itself." >>"$log"; exit 1; }
    [ "$SECONDS" -lt "$SECONDS_MAX" ] || { echo "Nobody listens after $SECONDS s." >>"$log"; exit 1; }
    sleep 0.2
done
for page in /healthz /readyz / /signin /docs /openapi.json; do
    answers "$page" || { echo "$page does not answer." >>"$log"; exit 1; }
done
if "$there/.venv/bin/python" -c 'import pytest' 2>/dev/null; then
    echo "There are developers' packages in it, so this proves nothing." >>"$log"
    exit 1
fi

kill -TERM -- "-$running"
wait "$running" || true # make says that it was stopped
grep -q '^Stopped\.' "$log" || { echo "It did not stop in order." >>"$log"; exit 1; }
if listens; then echo "Somebody still listens." >>"$log"; exit 1; fi
running=
echo "make run: installs, serves and stops on the production lock alone, in $SECONDS s."
