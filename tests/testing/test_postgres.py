"""The throw-away server: passwords are checked, a crash loses nothing that was committed, nothing is left behind."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tenantry.testing.postgres import PostgresServer, PostgresUnavailable, find_binaries, start_postgres

pytestmark = pytest.mark.postgres

# A test process of its own, which says where its server lives and then waits to be killed.
ABANDONED = """
import sys
from tenantry.testing.postgres import start_postgres
server = start_postgres()
print(server.data_dir, server._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with start_postgres() as started:
        yield started


async def test_takes_connections_on_loopback_and_names_its_version(server: PostgresServer) -> None:
    connection = await asyncpg.connect(server.url)
    version = await connection.fetchval("show server_version")
    await connection.close()

    assert server.host == "127.0.0.1"
    assert version.startswith(server.version)
    assert int(server.version.split(".")[0]) >= 15


async def test_checks_the_password_of_the_superuser_and_of_roles(server: PostgresServer, tmp_path: Path) -> None:
    connection = await asyncpg.connect(server.url)
    await connection.execute("create role visitor login password 'right'")
    await connection.close()
    address = f"{server.host}:{server.port}/postgres"

    visitor = await asyncpg.connect(f"postgresql://visitor:right@{address}")
    await visitor.close()
    for wrong in ("visitor:wrong", "visitor:", "postgres:wrong"):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(f"postgresql://{wrong}@{address}", passfile=tmp_path / "none")


async def test_a_killed_durable_server_keeps_what_was_committed() -> None:
    with start_postgres(durable=True) as server:
        connection = await asyncpg.connect(server.url)
        assert await connection.fetchval("show fsync") == "on"
        await connection.execute("create table note (word text)")
        await connection.execute("insert into note values ('kept')")
        await connection.execute("begin; insert into note values ('never committed')")
        server.kill()
        connection.terminate()
        server.restart()

        connection = await asyncpg.connect(server.url)
        words = await connection.fetch("select word from note")
        await connection.close()

    assert [row["word"] for row in words] == ["kept"]


async def test_a_restart_in_order_keeps_address_and_data(server: PostgresServer) -> None:
    connection = await asyncpg.connect(server.url)
    await connection.execute("create table kept ()")
    await connection.close()
    url = server.url

    server.restart()

    connection = await asyncpg.connect(url)
    assert await connection.fetchval("select to_regclass('kept') is not null")
    await connection.close()


def test_stop_removes_every_trace_and_may_be_repeated() -> None:
    server = start_postgres()

    server.stop()
    server.stop()

    assert not server.data_dir.parent.exists()


async def test_a_killed_test_process_leaves_no_server_behind() -> None:
    command = [sys.executable, "-c", ABANDONED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as abandoned:
        assert abandoned.stdout is not None
        data_dir, pid = abandoned.stdout.readline().split()
        assert Path(data_dir).exists()
        abandoned.kill()

    deadline = time.monotonic() + 10
    while Path(data_dir).parent.exists() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert not Path(data_dir).parent.exists()
    assert not Path(f"/proc/{pid}/cwd").exists()


def test_refuses_a_named_folder_without_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANTRY_PG_BIN", str(tmp_path))

    with pytest.raises(PostgresUnavailable, match="TENANTRY_PG_BIN"):
        find_binaries()
