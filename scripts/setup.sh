#!/bin/sh
# Install one lock file, and this project beside it, into .venv; make .venv when there is none.
#   scripts/setup.sh LOCKFILE [--without-project]
# PYTHON: the Python to use, else the first fitting one. UV: the uv to use; empty for pip alone; "auto" (or unset) for
# the one on PATH, else a pinned one put into .venv.
set -eu
cd "$(dirname "$0")/.."

UV_VERSION=0.13.8
lock=$1
here=.venv/bin/python

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    bare=
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3}; do
        fits "$candidate" || continue
        if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
        bare=${bare:-$candidate}
    done
    if [ -n "$bare" ]; then
        version=$("$bare" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
        echo "$bare cannot make virtual environments. On Debian or Ubuntu: apt-get install $version-venv" >&2
    else
        echo "No Python 3.11 or newer among: ${PYTHON:-python3, python3.11 to python3.14, /usr/bin/python3}." >&2
        echo "Install one (on Debian or Ubuntu: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/it" >&2
    fi
    return 1
}

find_uv() {
    for candidate in uv .venv/bin/uv; do
        if "$candidate" --version >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    if pip install "uv==$UV_VERSION" >&2; then
        echo .venv/bin/uv
    else
        echo "uv $UV_VERSION does not install here: going on with pip, which takes longer." >&2
    fi
}

pip() {
    $here -m pip --version >/dev/null 2>&1 || $here -m ensurepip >/dev/null
    $here -m pip --quiet --disable-pip-version-check "$@"
}

install() {
    if [ -n "$UV" ]; then
        # Compiled as pip does it: else every start of a program compiles anew where nothing may be written later.
        "$UV" pip install --quiet --compile-bytecode --python $here "$@"
    else
        pip install "$@"
    fi
}

if ! fits $here; then
    python=$(find_python)
    echo "Making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi
[ "${UV-auto}" != auto ] || UV=$(find_uv)
echo "Installing $lock with ${UV:-pip}"
install --require-hashes -r "$lock"
[ "${2-}" = --without-project ] || install --no-deps -e .
