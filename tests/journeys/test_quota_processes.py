"""Several processes, one quota: kill -9, wrong clocks, a database that dies, midnights and plan changes in between.

Each process writes down what it admits; afterwards that is compared with the limits which were in force and with the
rows. Nothing is over-admitted, and whatever was admitted is counted. What was lost on the way is not admitted either.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from journeys.quota_fleet import Fleet
from journeys.quota_worker import LIMITS
from tenantry.testing import postgres_database, start_postgres

SKEWS = (0.0, 3600.0, -3600.0, 100_000.0, -40.0)


@pytest.fixture
def fleet(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Three processes at work. PostgreSQL is one of its own, durable as in production, since it is killed."""
    if database_kind == "sqlite":
        with Fleet(request.getfixturevalue("database"), None, tmp_path).running() as found:
            yield found
        return
    with (
        start_postgres(durable=True) as server,
        Fleet(postgres_database(server, "fleet"), server, tmp_path).running() as found,
    ):
        yield found


def events(fleet: Fleet, chance: random.Random) -> list[Callable[[], None]]:
    """One of each kind of thing that happens, in any order."""
    holder, plan = chance.randrange(len(fleet.holders)), chance.choice([*LIMITS, "large"])
    found = [
        lambda: fleet.kill(chance.randrange(fleet.places), skew=chance.choice(SKEWS)),
        fleet.restart_database,
        lambda: fleet.to_midnight(seconds_before=0.4),
        lambda: fleet.to_midnight(seconds_before=-1),
        lambda: fleet.to_midnight(seconds_before=0.3, per="month"),
        lambda: fleet.change_plan(holder, plan),
        lambda: fleet.change_plan(holder, "small"),
        lambda: fleet.change_plan(1 - holder, "large"),
    ]
    chance.shuffle(found)
    return found


@pytest.mark.parametrize("rounds", [1, pytest.param(40, marks=[pytest.mark.deep, pytest.mark.timeout(3600)])])
def test_processes_never_admit_more_than_the_limit(fleet: Fleet, rounds: int) -> None:
    chance = random.Random(20261121)
    for holder, plan in enumerate(("middle", "large")):
        fleet.change_plan(holder, plan)
    for _ in range(rounds):
        for event in events(fleet, chance):
            event()
            fleet.work(chance.uniform(0.1, 0.8))
    fleet.to_midnight(seconds_before=-1)
    fleet.work(1.0)
    assert fleet.stop() == [0] * fleet.places
    compare(fleet)


def compare(fleet: Fleet) -> None:
    """What was admitted, against the limits and the rows."""
    admitted, rows = fleet.admitted(), fleet.rows()
    over = {key: known.units for key, known in admitted.items() if known.units > fleet.largest_limit(*key[:2], known)}
    uncounted = {key: known.units for key, known in admitted.items() if known.units > rows.get(key, 0)}
    assert (over, uncounted, fleet.late()) == ({}, {}, [])
    # It was a test of something: many windows, some of which were used up to their limit.
    full = [key for key, known in admitted.items() if known.units >= 0.8 * fleet.largest_limit(*key[:2], known)]
    assert len(admitted) > 6
    assert full
