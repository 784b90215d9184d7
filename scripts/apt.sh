#!/bin/sh
# Make sure of the system programs that the whole test run needs. What is missing comes from apt, when we are root on a
# system that has it; otherwise this fails and says what to install.
set -eu

missing() {
    python3 -c 'import ensurepip' >/dev/null 2>&1 || echo python3-venv
    command -v make >/dev/null || echo make
    command -v chromium >/dev/null || echo chromium
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || echo postgresql
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
    command -v pgbouncer >/dev/null || test -x /usr/sbin/pgbouncer || echo pgbouncer
}

packages=$(missing | xargs)
if [ -n "$packages" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    # shellcheck disable=SC2086 - one word a package
    apt-get install -q -y --no-install-recommends $packages
    packages=$(missing | xargs)
fi
if [ -n "$packages" ]; then
    echo "Missing here: $packages (as root on Debian or Ubuntu: apt-get install $packages)" >&2
    exit 1
fi
echo "System programs: all here."
