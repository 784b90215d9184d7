"""A product whose organizations hold the plans: Ada's with an admin and a member, and Mallory's beside it."""

import sys
from pathlib import Path

import msgspec
import pytest

# As in `from organizations_billed.team import ...`.
sys.path.append(str(Path(__file__).parents[1]))

from billing.flows.shop import stocked
from billing.flows.till import Till
from organizations_billed.team import Team, team_product
from tenantry.billing import BillingProviders
from tenantry.kernel.clock import FrozenClock
from tenantry.testing import CALLBACK
from tenantry.testing.kit import START
from tenantry.testing.standins import PEOPLE, start_identity


@pytest.fixture(scope="session")
def identity_provider(provider_clock):
    """The one of all tests, where four people have confirmed their addresses."""
    people = [msgspec.structs.replace(one, email_verified=True) for one in PEOPLE]
    with start_identity(redirect_uris=[CALLBACK], people=people, now=provider_clock.now) as provider:
        yield provider


@pytest.fixture
def till():
    return stocked(Till(FrozenClock(START)))


@pytest.fixture
async def team(start, till):
    ports = {BillingProviders: BillingProviders({"fake": till})}
    return await Team.of(await start(team_product(), clock=till.clock, ports=ports))
