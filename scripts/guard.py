"""Refuse what must not be committed: lock files that name hosts or disagree, package registries' hosts anywhere.

A lock that names a host works only where that host is reached; without one it works with every mirror.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Written as patterns, so that this file does not contain what it looks for.
REGISTRIES = re.compile(
    rb"pypi\.(org|python\.org)|pythonhosted\.org|npmjs\.(org|com)|yarnpkg\.com|(deb|security)\.debian\.org"
    rb"|archive\.ubuntu\.com|static\.crates\.io|rubygems\.org|proxy\.golang\.org|conda\.anaconda\.org",
)


def main() -> int:
    complaints = [*hosts_in_locks(), *disagreement_of_locks(), *hosts_in_files()]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if not complaints:
        print("Locks and files name no registry's host.")
    return 1 if complaints else 0


def hosts_in_locks() -> Iterator[str]:
    refused = [(path, r"://|^--") for path in ROOT.glob("requirements*.lock")]
    refused += [(ROOT / folder / "package-lock.json", r'"resolved"') for folder in ("tests/node", "bench/better_auth")]
    for path, pattern in refused:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if re.search(pattern, line):
                yield f"{path.relative_to(ROOT)}:{number}: {line.strip()}"


def disagreement_of_locks() -> Iterator[str]:
    """What is run is what was tested: the lock for running is a part of the lock for developing."""
    tested = set(pins("requirements.lock"))
    for pin in pins("requirements.prod.lock"):
        if pin not in tested:
            yield f"requirements.prod.lock: {pin} is not in requirements.lock (make lock)"


def pins(name: str) -> list[str]:
    return re.findall(r"^[^ #]+==[^ ;\\]+", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE)


def hosts_in_files() -> Iterator[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        path = ROOT / name
        for number, line in enumerate(path.read_bytes().splitlines() if path.is_file() else (), start=1):
            if found := REGISTRIES.search(line):
                yield f"{name}:{number}: names {found[0].decode()}"


if __name__ == "__main__":
    sys.exit(main())
