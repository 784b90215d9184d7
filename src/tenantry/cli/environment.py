"""The environment a command works with: the process's own over what a file `.env` in the working folder says."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from tenantry.kernel import Settings
from tenantry.kernel.settings_errors import SettingsRefused

from .failures import Failure, Refused

FILE = ".env"
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


def read_environment(given: Mapping[str, str] | None = None, *, folder: Path | None = None) -> dict[str, str]:
    """Everything that is set: `given` (flags) over the process's environment over the file `.env`.

    A line is `NAME=value`, the value as it stands or in quotes; nothing in it is replaced. Raises Failure for a line
    that is neither that nor a comment.
    """
    return {**_read_file((folder or Path()) / FILE), **os.environ, **(given or {})}


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings an environment holds; raises Refused with everything that cannot be read."""
    try:
        return Settings.load(environment)
    except SettingsRefused as refused:
        raise Refused(refused.findings) from refused


def _read_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            # Never the line itself: it may hold a secret.
            raise Failure(f"{path}:{number}: This is not NAME=value.", "Correct the line, or begin it with #.")
        found[match[1]] = _value(match[2])
    return found


def _value(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text.partition(" #")[0].rstrip()
