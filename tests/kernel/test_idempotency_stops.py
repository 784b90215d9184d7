"""A server dies in the middle of a request with an `Idempotency-Key`: nothing is created twice, and what is told."""

from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import func, select

from kernel.noting import NOTED, noting_product
from tenantry.kernel.audit import AuditLog
from tenantry.kernel.clock import FrozenClock
from tenantry.kernel.database import statement
from tenantry.testing import environment_of, serve

DECLARATION = Path(__file__).with_name("noting.py")
SECRET = "one-test-key-of-forty-characters-0123456"
KEY = {"Idempotency-Key": "k-1"}

_notes = statement(select(func.count()).select_from(AuditLog).where(AuditLog.action == NOTED))


@pytest.fixture
async def kit(start):
    # SQLite asks each process for the time, and the other one has the real.
    return await start(noting_product(), clock=FrozenClock(datetime.now(UTC)), secret_keys=(SECRET,))


async def count(kit):
    async with kit.system.service(writes=False) as ctx:
        return await ctx.db.one(_notes)


def die(tmp_path, kit, browser, path, *, at):
    """Ask another process on the same database, which dies on the way."""
    environment = {**environment_of(kit.database), "TENANTRY_SECRET_KEYS": SECRET, "DIE_AT": at}
    with serve(tmp_path, str(DECLARATION), **environment) as server:
        headers = {**KEY, "Origin": server.url, "Content-Type": "application/json"}
        cookies = {"session": browser.cookies["session"]}
        with (
            httpx2.Client(base_url=server.url, cookies=cookies, headers=headers) as client,
            pytest.raises(httpx2.TransportError),
        ):
            client.post(path, content=b"{}")


async def ask(browser, path):
    return await browser.post(path, content=b"{}", headers={**KEY, "Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("path", "at", "left", "told"),
    [
        # Its answer is in the same transaction as its work: either both are there, or neither.
        ("/v1/written", "unit", 0, 201),
        ("/v1/written", "answer", 1, "replayed"),
        # Units of its own: nobody can say whether it was done, so it is not done again.
        ("/v1/notes", "unit", 0, 409),
        ("/v1/notes", "committed", 1, 409),
        # Its answer is kept before it is sent.
        ("/v1/notes", "answer", 1, "replayed"),
    ],
)
async def test_a_server_that_dies(tmp_path, kit, path, at, left, told):
    ada = await kit.sign_in("ada")
    die(tmp_path, kit, ada, path, at=at)
    assert await count(kit) == left
    if told != "replayed":
        waiting = await ask(ada, path)
        assert waiting.json()["code"] == "idempotency.in_progress"
    await kit.move(minutes=3)
    for _ in range(2):
        answer = await ask(ada, path)
        if told == 201:
            assert answer.status_code == 201
        elif told == "replayed":
            assert answer.headers["idempotent-replayed"] == "true"
        else:
            assert (answer.status_code, answer.json()["code"]) == (409, "idempotency.interrupted")
    assert await count(kit) == max(left, told == 201)
