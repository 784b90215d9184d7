"""One SQLite file, several writers: in this process, in others, and when there is no room or no file."""

import asyncio
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import insert, select

from tenantry.kernel import new_id
from tenantry.kernel.clock import SystemClock
from tenantry.kernel.database import param, refuse_while_open, statement
from tenantry.kernel.database.failures import DatabaseConflict, DatabaseUnavailable
from tenantry.kernel.database.sqlite import SqliteDatabase
from tenantry.kernel.database.units import SERVICE

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])

WRITER = """
import asyncio, sys
from pathlib import Path
from sqlalchemy import insert
from tenantry.kernel import new_id
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.clock import SystemClock
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.sqlite import SqliteDatabase
from tenantry.kernel.database.units import SERVICE

add = statement(insert(AuditLog).values(id=param("id"), actor_kind="system", action=sys.argv[2], detail={}))

async def write(database, times):
    for _ in range(times):
        unit = database.unit(SERVICE, writes=True)
        await unit.run(add, id=new_id())
        await unit.commit()

async def main():
    database = SqliteDatabase(Path(sys.argv[1]), SystemClock(), durable=False)
    await database.open()
    print("ready", flush=True)
    sys.stdin.readline()
    await asyncio.gather(*(write(database, 25) for _ in range(4)))
    await database.close()

asyncio.run(main())
"""


@pytest.fixture(scope="session")
def sql(tables: SimpleNamespace) -> SimpleNamespace:
    greetings = tables.Greetings
    return SimpleNamespace(
        add=statement(insert(greetings).values(id=param("id"), text=param("text"))),
        texts=statement(select(greetings.text)),
        slow=statement(select(greetings.text), slow=True),
    )


async def opened(path: Path, **more: Any) -> SqliteDatabase:
    database = SqliteDatabase(path, SystemClock(), durable=False, **more)
    await database.open()
    return database


async def test_a_writer_waits_for_another_process(bench: Any, sql: Any) -> None:
    with closing(sqlite3.connect(bench.api.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        unit = bench.serving()
        task = asyncio.create_task(unit.run(sql.add, id=new_id(), text="waited"))
        done, _ = await asyncio.wait([task], timeout=0.1)
        assert not done
        assert await bench.serving(writes=False).rows(sql.texts) == []  # who reads does not wait
        other.execute("COMMIT")
        assert await task == 1
    await unit.rollback()


async def test_503_a_writer_does_not_wait_for_ever(bench: Any, sql: Any) -> None:
    impatient = await opened(bench.api.path, patience_seconds=0.1)
    with closing(sqlite3.connect(bench.api.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            unit = impatient.unit(SERVICE, writes=True)
            async with asyncio.timeout(5):
                with pytest.raises(DatabaseConflict):
                    await unit.run(sql.add, id=new_id(), text="x")
            await unit.rollback()
            refuse_while_open("a call")
    unit = impatient.unit(SERVICE, writes=True)
    assert await unit.run(sql.add, id=new_id(), text="x") == 1
    await unit.commit()
    await impatient.close()


async def test_cancelled_while_it_waits_the_turn_is_free(bench: Any, sql: Any) -> None:
    with closing(sqlite3.connect(bench.api.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        tasks = [asyncio.create_task(bench.serving().run(sql.add, id=new_id(), text="x")) for _ in range(3)]
        await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        assert all(isinstance(one, BaseException) for one in await asyncio.gather(*tasks, return_exceptions=True))
    assert not bench.api.turn.locked()
    unit = bench.serving()
    assert await unit.run(sql.add, id=new_id(), text="x") == 1
    await unit.rollback()


async def test_many_processes_write_and_none_is_left_out(bench: Any) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(bench.api.path), f"p{number}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = await asyncio.to_thread(process.communicate, timeout=60)
        assert (process.returncode, errors) == (0, "")
    with closing(sqlite3.connect(bench.api.path)) as reading:
        counted = reading.execute("SELECT action, count(*) FROM audit_log GROUP BY action ORDER BY action").fetchall()
    assert counted == [(f"p{number}", 100) for number in range(3)]


async def test_503_a_full_disk_undoes_the_unit(bench: Any, sql: Any) -> None:
    database = await opened(bench.api.path)
    assert database.writer is not None
    pages = database.writer.execute("PRAGMA page_count").fetchone()[0]
    database.writer.execute(f"PRAGMA max_page_count = {pages}")
    unit = database.unit(SERVICE, writes=True)
    with pytest.raises(DatabaseUnavailable):
        await unit.run(sql.add, id=new_id(), text="x" * 100_000)
    with pytest.raises(RuntimeError, match="cannot be committed"):
        await unit.commit()
    database.writer.execute(f"PRAGMA max_page_count = {pages + 100}")
    unit = database.unit(SERVICE, writes=True)
    await unit.run(sql.add, id=new_id(), text="x")
    await unit.commit()
    assert await database.unit(SERVICE, writes=False).rows(sql.texts) == ["x"]
    await database.close()


async def test_503_a_file_that_is_no_database(database_kind: str, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is not a database, whatever its name says")
    for path in (tmp_path / "text.db", tmp_path, Path("/dev/null/no.db")):
        with pytest.raises(DatabaseUnavailable):
            await opened(path)


async def test_a_slow_read_runs_beside_the_loop(bench: Any, sql: Any) -> None:
    await bench.serve(sql.add, id=new_id(), text="x")
    assert await bench.user(new_id()).rows(sql.slow) == ["x"]


async def test_the_loop_goes_on_while_a_writer_waits(bench: Any, sql: Any) -> None:
    turns, began = 0, time.monotonic()
    with closing(sqlite3.connect(bench.api.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        task = asyncio.create_task(bench.serving().run(sql.add, id=new_id(), text="x"))
        while time.monotonic() - began < 0.1:
            await asyncio.sleep(0)
            turns += 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert turns > 10
