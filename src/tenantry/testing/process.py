"""The product as a process: `tenantry run` in a folder of its own, as a person starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from .databases import TestDatabase

COMMAND = Path(sys.executable).parent / "tenantry"
START_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """A running `tenantry run`. `log` is what it printed."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @contextmanager
    def sign_in(self, person: str = "ada") -> Iterator[httpx2.Client]:
        """A client that signed in through the stand-in provider, as a browser would."""
        with httpx2.Client(base_url=self.url, headers={"Origin": self.url}) as client:
            away = client.get("/auth/demo/start").headers["location"]
            back = httpx2.get(f"{away}&login_hint={person}").headers["location"]
            landed = client.get(f"{urlsplit(back).path}?{urlsplit(back).query}")
            if landed.status_code != 303:
                raise RuntimeError(f"sign-in as {person} ended with {landed.status_code}: {landed.text[:500]}")
            yield client


@contextmanager
def serve(folder: Path, product: str, *arguments: str, host: str = "127.0.0.1", **environment: str) -> Iterator[Server]:
    """Run the server in a folder of its own until the block ends; it must stop by itself when asked to.

    `host` is "localhost" for what browsers do for names only, such as passkeys.
    """
    port = _free_port()
    log = folder / "server.log"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TENANTRY_")}
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [COMMAND, "run", product, "--host", host, "--port", str(port), *arguments],
            cwd=folder, env={**clean, **environment}, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    server = Server(f"http://{host}:{port}", process, log)
    try:
        _wait(server)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def _wait(server: Server) -> None:
    for _ in range(START_SECONDS * 10):
        if server.process.poll() is not None:
            break
        try:
            if httpx2.get(f"{server.url}/healthz").status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the server did not come up:\n{server.log.read_text()}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def environment_of(database: TestDatabase) -> dict[str, str]:
    """The variables that point a server at a test database. PostgreSQL is reached by logins that own nothing."""
    urls = {"TENANTRY_DATABASE_URL": database.api_url, "TENANTRY_SERVICE_URL": database.service_url}
    return {name: url for name, url in urls.items() if url}
