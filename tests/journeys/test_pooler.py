"""The application behind a real PgBouncer in transaction mode: neighbours share one connection to the database."""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

import pytest

from tenantry.kernel import new_id
from tenantry.kernel.notices import Notices, tell
from tenantry.testing import AppKit, PostgresServer, TestDatabase, postgres_database

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
CONFIGURATION = """\
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = plain
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 1
max_client_conn = 200
"""

pytestmark = pytest.mark.skipif(
    PROGRAM is None and not os.environ.get("CI"), reason="PgBouncer is not installed; with CI=true this fails instead"
)


@pytest.fixture(scope="module")
def direct(postgres_server: PostgresServer) -> TestDatabase:
    return postgres_database(postgres_server, "behind_pooler")


@pytest.fixture(scope="module")
def pooled(direct: TestDatabase) -> Iterator[TestDatabase]:
    """The same database through PgBouncer: one server connection for all clients of a login."""
    with ExitStack() as stack, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = free.getsockname()[1]
        free.close()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pooler-")))
        folder.chmod(0o755)
        server = urlsplit(direct.api_url)
        users = {urlsplit(url).username: urlsplit(url).password for url in (direct.api_url, direct.service_url or "")}
        (folder / "users").write_text("".join(f'"{name}" "{secret}"\n' for name, secret in users.items()))
        (folder / "pgbouncer.ini").write_text(
            CONFIGURATION.format(host=server.hostname, port=server.port, listen=listen, folder=folder)
        )
        # It refuses to run as root.
        nobody = pwd.getpwnam("nobody")
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid} if os.getuid() == 0 else {}
        command = [PROGRAM or "pgbouncer", "-q", str(folder / "pgbouncer.ini")]
        process = subprocess.Popen(command, cwd="/", **account)  # type: ignore[call-overload]
        stack.callback(process.wait, 10)
        stack.callback(process.terminate)
        _wait_for(listen)
        yield replace(
            direct, api_url=_through(direct.api_url, listen), service_url=_through(direct.service_url, listen)
        )


def _through(url: str | None, port: int) -> str:
    parts = urlsplit(url or "")
    return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl()


def _wait_for(port: int) -> None:
    until = monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if monotonic() > until:
                raise
            sleep(0.05)
        else:
            return


@pytest.fixture
async def database(pooled: TestDatabase) -> TestDatabase:
    await pooled.empty()
    return pooled


@pytest.fixture
async def kit(start, direct) -> AppKit:
    started: AppKit = await start(pool_mode="transaction", direct_url=direct.service_url)
    return started


async def test_neighbours_on_one_server_connection_see_their_own(kit):
    browsers = {name: await kit.sign_in(name) for name in ("ada", "grace", "alan")}
    own = {name: (await browser.get("/v1/me")).json()["id"] for name, browser in browsers.items()}
    assert len(set(own.values())) == 3

    async def look(name: str) -> None:
        for _ in range(15):
            assert (await browsers[name].get("/v1/me")).json()["id"] == own[name]
            sessions = (await browsers[name].get("/v1/me/sessions")).json()["items"]
            assert [one["current"] for one in sessions] == [True]

    await asyncio.gather(*(look(name) for name in own for _ in range(4)))


async def test_writes_commit_and_refusals_leave_nothing(kit):
    ada, grace = await kit.sign_in("ada"), await kit.sign_in("grace")

    async def rename(browser, name: str) -> None:
        for number in range(10):
            answer = await browser.patch("/v1/me", json={"name": f"{name} {number}"})
            assert answer.status_code == 200, answer.text
            assert (await browser.patch("/v1/me", json={"name": "x" * 300})).status_code == 422

    await asyncio.gather(rename(ada, "Ada"), rename(grace, "Grace"))
    assert (await ada.get("/v1/me")).json()["name"] == "Ada 9"
    assert (await grace.get("/v1/me")).json()["name"] == "Grace 9"


async def test_jobs_and_counts_go_through_it_too(kit):
    ada = await kit.sign_in("ada")
    assert await kit.run_jobs() >= 0
    assert (await ada.get("/v1/me/usage")).status_code == 200


async def test_a_notice_told_through_it_is_heard_past_it(kit):
    notices, heard = kit.runtime.port(Notices), []
    notices.subscribe("house", heard.append, lambda: None)
    subjects = [new_id() for _ in range(20)]
    async with asyncio.timeout(20):
        while not notices.is_trusted:
            await asyncio.sleep(0.01)
        for one in subjects:
            async with kit.system.service() as ctx:
                await tell(ctx, "house", one)
        while len(heard) < len(subjects):
            await asyncio.sleep(0.01)
    assert heard == subjects
    assert notices.doubts == 0
