"""The SQLite file is for the server's own user alone, from its first byte on."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tenantry.kernel.clock import SystemClock
from tenantry.kernel.database.failures import DatabaseUnavailable
from tenantry.kernel.database.migrating import upgrade
from tenantry.kernel.database.sqlite import SqliteDatabase
from tenantry.kernel.database.sqlite_file import make_file


@pytest.fixture(autouse=True)
def _nothing_masked() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {one.name: one.stat().st_mode & 0o777 for one in folder.iterdir()}


async def written(path: Path) -> SqliteDatabase:
    database = SqliteDatabase(path, SystemClock())
    await database.open()
    writer: Any = database.writer
    writer.execute("CREATE TABLE IF NOT EXISTS t (a)")
    writer.execute("INSERT INTO t VALUES (1)")
    return database


async def test_a_new_file_and_what_lies_beside_it_are_private(tmp_path: Path) -> None:
    database = await written(tmp_path / "var" / "new.db")
    assert modes(tmp_path / "var") == dict.fromkeys(("new.db", "new.db-wal", "new.db-shm"), 0o600)
    await database.close()


async def test_so_is_one_that_a_migration_makes(tmp_path: Path) -> None:
    await upgrade(f"sqlite:///{tmp_path}/var/new.db")
    assert set(modes(tmp_path / "var").values()) == {0o600}


async def test_a_file_that_exists_keeps_its_mode_and_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    await (await written(path)).close()
    path.chmod(0o640)
    database = await written(path)
    assert set(modes(tmp_path).values()) == {0o640}
    assert database.reader is not None
    assert database.reader.execute("SELECT count(*) FROM t").fetchone() == (2,)
    await database.close()


def test_it_is_made_empty_and_private_before_anything_is_written(tmp_path: Path) -> None:
    make_file(tmp_path / "a" / "b" / "new.db")
    assert modes(tmp_path / "a" / "b") == {"new.db": 0o600}
    assert (tmp_path / "a" / "b" / "new.db").read_bytes() == b""


async def test_503_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "new.db", tmp_path):
        with pytest.raises(DatabaseUnavailable):
            await SqliteDatabase(path, SystemClock()).open()
