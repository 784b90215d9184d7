"""What no file of the project says: where it was made, by whom, and hosts that only some networks reach."""

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from .tree import Finding

# Written so that this file does not contain what it looks for.
WORDS = {
    "a place on somebody's machine": re.compile(r"(?<![\w.~-])/(?:work|root|Users)/[\w.]|(?<![\w.-])/home/\w"),
    "a folder that machines empty": re.compile(r"/tmp/[a-z]"),
    "how the project came about": re.compile(
        r"\bsession [0-9]\b|\bDEVELOPER[S]\.md|\bhelper[s]?\b|\bsub-?agent", re.IGNORECASE
    ),
    "a folder outside the project": re.compile(r"(?<![\w/])(?:\.\./)?share[d]/"),
}
# Tests name such paths to have them refused, and may look for sample data in a folder beside the project.
IN_TESTS = re.compile(r"/tmp/[a-z]|share[d][/\"', ]+data")
PICTURES = frozenset({".png", ".jpg", ".gif", ".webp", ".ico", ".woff2", ".gz", ".db"})


def tracked_files(root: Path) -> list[Path]:
    """What git knows or would add; without git, every file outside hidden folders."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        files = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        names = [str(path) for path in files if not any(part.startswith(".") for part in path.parts)]
    return [root / name for name in names if name and (root / name).is_file()]


def loose_words(root: Path, files: Iterable[Path]) -> Iterator[Finding]:
    """Lines that say what no line should."""
    for path in files:
        name = path.relative_to(root).as_posix()
        if path.suffix in PICTURES or "vendor/" in name:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            for what, words in WORDS.items():
                if words.search(line) and not (name.startswith("tests/") and IN_TESTS.search(line)):
                    yield Finding(name, number, f"names {what}: {line.strip()[:80]}")
