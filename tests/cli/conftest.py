"""Commands as a person runs them: in this process where that is the same, else as a program with a port of its own."""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx2
import msgspec
import pytest

from tenantry.cli import run
from tenantry.testing import PostgresServer

# What other tests keep: `from house.rules.live import ...`.
sys.path.append(str(Path(__file__).parents[1]))

PATIENCE_SECONDS = 10.0
PROGRAM = str(Path(sys.executable).with_name("tenantry"))

# The end of its input means that the test process has ended, in whatever way; a server must not outlive it.
WATCHDOG = 'read -r _; kill -s KILL -- "-$1"'

PRODUCT = """\
from tenantry import DataSource, Google, Meter, Plan, Product
from tenantry.sources import Binance

requests = Meter("requests", per="day")
prices = DataSource("Prices", key="prices", description="Spot", availability="free", status="active", adapter=Binance())
product = Product(
    "Acme",
    sign_in=[Google()],
    plans=[Plan("free", price=0, limits={requests: 100_000}), Plan("pro", price=900, limits={requests: 200_000})],
    sources=[prices],
)
"""


@dataclass(frozen=True)
class Answer:
    """What a command said, and its status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> object:
        return msgspec.json.decode(self.out)


Tenantry = Callable[..., Answer]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with nothing in it, and an environment without settings."""
    for name in list(os.environ):
        if name.startswith("TENANTRY_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def product(empty_folder: Path) -> Path:
    path = empty_folder / "product.py"
    path.write_text(PRODUCT)
    return path


@pytest.fixture
def tenantry(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tenantry:
    """Run a command here: `tenantry("db", "current", TENANTRY_ENVIRONMENT="production")`."""

    def call(*arguments: str, **environment: str) -> Answer:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            status = run(arguments)
        said = capsys.readouterr()
        return Answer(status, said.out, said.err)

    return call


@pytest.fixture
def program() -> Tenantry:
    """Run a command as a program of its own."""

    def call(*arguments: str, **environment: str) -> Answer:
        ran = subprocess.run(
            [PROGRAM, *arguments],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=6 * PATIENCE_SECONDS,
        )
        return Answer(ran.returncode, ran.stdout, ran.stderr)

    return call


class Server:
    """`tenantry run` as a program. `url` is where it said it is."""

    def __init__(
        self, arguments: tuple[str, ...], environment: Mapping[str, str], log: Path, *, ready: str | None
    ) -> None:
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [PROGRAM, "run", *arguments],
                env={**os.environ, **environment},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", WATCHDOG, "watchdog", str(self.process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self.url = self._announced() if ready is None else self._answering(ready)

    @property
    def said(self) -> str:
        return self.log.read_text()

    def get(self, path: str) -> httpx2.Response:
        return httpx2.get(f"{self.url}{path}", timeout=PATIENCE_SECONDS)

    @contextmanager
    def browser(self, person: str) -> Iterator[httpx2.Client]:
        """A browser in which somebody has signed in at the demo's identity provider."""
        with httpx2.Client(base_url=self.url, timeout=PATIENCE_SECONDS) as client:
            there = client.get("/auth/demo/start").headers["location"]
            back = urlsplit(client.get(f"{there}&login_hint={person}").headers["location"])
            assert client.get(f"{back.path}?{back.query}").status_code == 303
            yield client

    def send(self, number: signal.Signals, *, to_group: bool = False) -> int:
        """Send a signal, to the whole group as a terminal does if wanted; answers the status."""
        if to_group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self.process.wait(2 * PATIENCE_SECONDS)

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._watchdog.kill()
        self._watchdog.communicate()

    def _announced(self) -> str:
        self._wait(lambda: " is at http" in self.said)
        found = re.search(r" is at (http://\S+)", self.said)
        assert found, self.said
        # Behind a proxy the public address is not where it listens.
        return found[1] if "127.0.0.1" in found[1] else ""

    def _answering(self, url: str) -> str:
        def answers() -> bool:
            try:
                return httpx2.get(f"{url}/healthz").status_code == 200
            except httpx2.TransportError:
                return False

        self._wait(answers)
        return url

    def _wait(self, state: Callable[[], bool]) -> None:
        # Longer than for other states: a start loads everything, and several test runs may share the machine.
        deadline = time.monotonic() + 6 * PATIENCE_SECONDS
        while not state():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.end()
                raise AssertionError(f"the server did not start: {self.said}")
            time.sleep(0.05)


Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start servers: `serve("--workers", "2", TENANTRY_HOST="::1")`; a free port unless said otherwise.

    `ready` is an address to wait for, where the server does not say its own.
    """
    with ExitStack() as stack:

        def start(*arguments: str, ready: str | None = None, **environment: str) -> Server:
            if "--port" not in arguments:
                arguments = (*arguments, "--port", "0")
            server = Server(arguments, environment, tmp_path / f"server-{time.monotonic_ns()}.log", ready=ready)
            stack.callback(server.end)
            return server

        yield start


@pytest.fixture
def wait_for() -> Callable[[Callable[[], bool]], None]:
    """Wait until a state is reached."""

    def wait(state: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 2 * PATIENCE_SECONDS
        while not state():
            if time.monotonic() > deadline:
                pytest.fail("the state was not reached")
            time.sleep(0.05)

    return wait


@pytest.fixture
def addresses(postgres_server: PostgresServer) -> dict[str, str]:
    """The three addresses of a PostgreSQL database that is not there yet."""
    name = f"cli_{time.monotonic_ns()}"

    def address(login: str, password: str) -> str:
        netloc = f"{login}:{password}@{postgres_server.host}:{postgres_server.port}"
        return urlsplit(postgres_server.url)._replace(netloc=netloc, path=f"/{name}").geturl()

    return {
        "TENANTRY_OWNER_URL": address("postgres", postgres_server.password),
        "TENANTRY_DATABASE_URL": address(f"{name}_api", "api-secret"),
        "TENANTRY_SERVICE_URL": address(f"{name}_service", "service-secret"),
    }


@pytest.fixture
def settings(database_kind: str, request: pytest.FixtureRequest, tenantry: Tenantry) -> dict[str, str]:
    """The settings of an empty database without a schema, on SQLite and on PostgreSQL."""
    if database_kind == "sqlite":
        return {"TENANTRY_DATABASE_URL": "sqlite:///var/test.db"}
    found: dict[str, str] = request.getfixturevalue("addresses")
    assert tenantry("db", "init", **found).status == 0
    return found


@pytest.fixture
def every_row(
    fetch: Callable[[str, str], list[tuple[object, ...]]],
) -> Callable[[dict[str, str]], dict[str, list[str]]]:
    """All rows of all tables, as text, in both databases: `every_row(settings)`."""

    def on_sqlite(path: str) -> dict[str, list[str]]:
        with closing(sqlite3.connect(path)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            return {name: sorted(map(str, connection.execute(f'SELECT * FROM "{name}"'))) for (name,) in names}

    def on_postgresql(owner: str) -> dict[str, list[str]]:
        tables = fetch(owner, "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'tenantry')")
        return {
            f"{schema}.{name}": sorted(str(row) for (row,) in fetch(owner, f'SELECT t::text FROM {schema}."{name}" t'))
            for schema, name in tables
        }

    def read(settings: dict[str, str]) -> dict[str, list[str]]:
        if "TENANTRY_OWNER_URL" in settings:
            return on_postgresql(settings["TENANTRY_OWNER_URL"])
        return on_sqlite(settings["TENANTRY_DATABASE_URL"].removeprefix("sqlite:///"))

    return read


@pytest.fixture
def fetch() -> Callable[[str, str], list[tuple[object, ...]]]:
    """Rows of a PostgreSQL database."""

    async def rows(address: str, query: str) -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(address)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return lambda address, query: asyncio.run(rows(address, query))
