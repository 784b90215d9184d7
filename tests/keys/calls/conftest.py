"""A key of Ada's, a program that calls with it, and a look at what the log wrote."""

import sys
from pathlib import Path
from typing import Any

import pytest

# What its tests share: `from keys.calls.world import ...`.
sys.path.append(str(Path(__file__).parents[2]))

from keys.calls.world import called_product, hours_in, log_of


@pytest.fixture
async def kit(start: Any) -> Any:
    return await start(called_product())


@pytest.fixture
async def key(ada: Any) -> dict[str, Any]:
    """A key, with its secret."""
    answer = await ada.post("/v1/keys", json={"label": "robot"})
    made: dict[str, Any] = answer.json()
    return made


@pytest.fixture
async def robot(kit: Any, key: dict[str, Any]) -> Any:
    """A program that shows the key."""
    return await kit.client(**{"X-API-Key": key["secret"]})


@pytest.fixture
def written(kit: Any) -> Any:
    """What answers the calls in the log, oldest first, once all that were noted are there."""
    return lambda: log_of(kit)


@pytest.fixture
def hours(kit: Any) -> Any:
    """What answers the rows of the roll-ups."""
    return lambda: hours_in(kit)
