"""Decision 0002, reads: where a read runs, and what the column types cost.

`python -m bench.decisions.sqlite_reader`; aiosqlite is measured where it is installed.
"""

import asyncio
import importlib
import importlib.util
import random
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from bench.measure import sample, sample_sync

aiosqlite: Any = importlib.import_module("aiosqlite") if importlib.util.find_spec("aiosqlite") else None

USERS, EACH, LIMIT = 5_000, 20, 20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SCHEMA = """
create table blobs (id blob primary key, user_id blob not null, kind text not null, title text not null,
  body text not null, created_at integer not null) strict, without rowid;
create table texts (id text primary key, user_id text not null, kind text not null, title text not null,
  body text not null, created_at text not null) strict, without rowid;
create index blobs_own on blobs (user_id, created_at desc);
create index texts_own on texts (user_id, created_at desc);
"""


class Note(msgspec.Struct, frozen=True, gc=False):
    id: uuid.UUID
    title: str
    kind: str
    created_at: datetime


def fill(db: sqlite3.Connection) -> list[uuid.UUID]:
    db.executescript(SCHEMA)
    users = [uuid.uuid4() for _ in range(USERS)]
    now = datetime.now(UTC)
    rows = [
        (uuid.uuid4(), who, "a", f"title {n}", "x" * 200, now - n * MICROSECOND) for who in users for n in range(EACH)
    ]
    db.execute("begin")
    db.executemany(
        "insert into blobs values (?,?,?,?,?,?)",
        [(i.bytes, u.bytes, k, t, b, (at - EPOCH) // MICROSECOND) for i, u, k, t, b, at in rows],
    )
    db.executemany(
        "insert into texts values (?,?,?,?,?,?)",
        [(str(i), str(u), k, t, b, at.isoformat()) for i, u, k, t, b, at in rows],
    )
    db.execute("commit")
    return users


def listing(table: str) -> str:
    return f"select id, title, kind, created_at from {table} where user_id = ? order by created_at desc limit {LIMIT}"


def readers(path: str, users: list[uuid.UUID]) -> dict[str, Callable[[], object]]:
    """Plain functions, each one whole read."""
    db = sqlite3.connect(path, isolation_level=None, cached_statements=512)
    uncached = sqlite3.connect(path, isolation_level=None, cached_statements=0)
    implicit = sqlite3.connect(path)
    blobs, texts, make = listing("blobs"), listing("texts"), uuid.UUID

    def from_blobs() -> list[Note]:
        rows = db.execute(blobs, (random.choice(users).bytes,))
        return [Note(make(bytes=i), t, k, EPOCH + timedelta(microseconds=at)) for i, t, k, at in rows]

    def from_texts() -> list[Note]:
        rows = db.execute(texts, (str(random.choice(users)),))
        return [Note(make(i), t, k, datetime.fromisoformat(at)) for i, t, k, at in rows]

    def converted() -> list[Note]:
        rows = db.execute(blobs, (random.choice(users).bytes,))
        names = ("id", "title", "kind", "created_at")
        return [
            msgspec.convert(
                dict(zip(names, row, strict=True)) | {"created_at": EPOCH + timedelta(microseconds=row[3])}, Note
            )
            for row in rows
        ]

    return {
        "rows only, BLOB + INTEGER": lambda: db.execute(blobs, (random.choice(users).bytes,)).fetchall(),
        "rows only, TEXT": lambda: db.execute(texts, (str(random.choice(users)),)).fetchall(),
        "rows only, cached_statements=0": lambda: uncached.execute(blobs, (random.choice(users).bytes,)).fetchall(),
        "rows only, isolation_level left alone": lambda: implicit.execute(
            blobs, (random.choice(users).bytes,)
        ).fetchall(),
        "structs, BLOB + INTEGER": from_blobs,
        "structs, TEXT": from_texts,
        "structs by msgspec.convert": converted,
    }


def convertors() -> dict[str, Callable[[], object]]:
    one = uuid.uuid4()
    raw, text = one.bytes, str(one)
    now = datetime.now(UTC)
    micros, iso = (now - EPOCH) // MICROSECOND, now.isoformat()
    return {
        "UUID(bytes=)": lambda: uuid.UUID(bytes=raw),
        "UUID(text)": lambda: uuid.UUID(text),
        "EPOCH + timedelta": lambda: EPOCH + timedelta(microseconds=micros),
        "datetime.fromtimestamp(micros / 1e6)": lambda: datetime.fromtimestamp(micros / 1e6, UTC),
        "datetime.fromisoformat": lambda: datetime.fromisoformat(iso),
        "str(uuid)": lambda: str(one),
        "(at - EPOCH) // microsecond": lambda: (now - EPOCH) // MICROSECOND,
        "at.isoformat()": now.isoformat,
    }


async def where(path: str, users: list[uuid.UUID]) -> dict[str, Callable[[], Awaitable[object]]]:
    sql, pool = listing("blobs"), ThreadPoolExecutor(1)
    loop, db = asyncio.get_running_loop(), sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def read() -> list[object]:
        return db.execute(sql, (random.choice(users).bytes,)).fetchall()

    async def direct() -> object:
        return read()

    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "in the event loop": direct,
        "one thread, run_in_executor": lambda: loop.run_in_executor(pool, read),
    }
    if aiosqlite:
        far = await aiosqlite.connect(path, isolation_level=None)

        async def by_library() -> object:
            return await far.execute_fetchall(sql, (random.choice(users).bytes,))

        ways["aiosqlite"] = by_library
    return ways


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "x.db")
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("pragma journal_mode=wal").fetchall()
        users = fill(db)
        table = Table("read of 20 rows", "p50 µs", "p99 µs", "CPU µs", "p50 / bare", title_justify="left")
        bare = None
        for name, read in readers(path, users).items():
            got = sample_sync(read)
            bare = bare or got
            table.add_row(
                name, f"{got.p50_us:.1f}", f"{got.p99_us:.1f}", f"{got.cpu_us:.1f}", f"{got.p50_us / bare.p50_us:.2f}"
            )
        for clients in (1, 32):
            for name, ask in (await where(path, users)).items():
                one = await sample(ask, times=3_200, rounds=3, clients=clients)
                table.add_row(
                    f"{name}, {clients} clients", f"{one.p50_us:.1f}", f"{one.p99_us:.1f}", f"{one.cpu_us:.1f}", ""
                )
        for name, convert in convertors().items():
            started = time.process_time()
            for _ in range(100_000):
                convert()
            table.add_row(name, "", "", f"{(time.process_time() - started) * 10:.2f}", "")
        Console(width=120).print(table)


if __name__ == "__main__":
    asyncio.run(main())
