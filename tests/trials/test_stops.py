"""What happens to a trial in one process is in force in another one within a second."""

from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

import httpx2
import pytest

from tenantry.kernel.clock import FrozenClock
from tenantry.testing import environment_of, serve
from trials.acme import trial_product
from trials.owners import begin, give_key, move

DECLARATION = Path(__file__).with_name("acme.py")


@pytest.fixture
async def kit(start):
    # SQLite asks each process for the time, and the other one has the real.
    return await start(trial_product(), clock=FrozenClock(datetime.now(UTC)))


@pytest.fixture
def other(tmp_path, database, kit):
    """Another server process on the same database."""
    environment = {**environment_of(database), "TENANTRY_SECRET_KEYS": "another-key-of-forty-characters-012345678"}
    with serve(tmp_path, str(DECLARATION), **environment) as server:
        yield server


@contextmanager
def asking(server, key):
    """What the other process answers a program now: its plan, or the code of the refusal."""
    with httpx2.Client(base_url=server.url, headers={"X-API-Key": key["secret"]}) as client:

        def answer():
            told = client.get("/v1/work").json()
            return told.get("code") or told["plan"]

        yield answer


@pytest.mark.parametrize(("verb", "told"), [("cancel", "keys.trial_ended"), ("convert", "free")])
async def test_a_second_process_knows_too(ada, other, verb, told):
    made = await begin(ada)
    key = await give_key(ada, made)
    with asking(other, key) as answer:
        # Known there, and remembered.
        assert [answer() for _ in range(3)] == ["standard"] * 3
        assert (await move(ada, made, verb))[0] == 200
        moved, heard = monotonic(), None
        while (heard := answer()) == "standard" and monotonic() - moved < 30:
            sleep(0.01)
        assert heard == told
        assert {answer() for _ in range(3)} <= {told, "usage.quota_exceeded"}
