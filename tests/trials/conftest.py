"""The product with trials, running, and a person who has signed in. What tests share stands beside them."""

import sys
from pathlib import Path

import pytest

# As in `from trials.owners import ...`.
sys.path.append(str(Path(__file__).parents[1]))

from trials.acme import trial_product


@pytest.fixture
async def kit(start):
    return await start(trial_product())


@pytest.fixture
async def ada(kit):
    return await kit.sign_in("ada")


@pytest.fixture
async def program(kit):
    """A client without cookies."""
    return await kit.client()
