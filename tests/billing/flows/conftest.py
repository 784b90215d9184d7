"""The shop, running with a till in the place of a payment provider."""

import sys
from pathlib import Path

import pytest

# As in `from billing.flows.shop import ...`.
sys.path.append(str(Path(__file__).parents[2]))

from billing.flows.shop import shop_product, stocked
from billing.flows.till import Till
from tenantry.billing import BillingProviders
from tenantry.kernel.clock import FrozenClock
from tenantry.testing.kit import START


@pytest.fixture
def clock():
    return FrozenClock(START)


@pytest.fixture
def till(clock):
    return stocked(Till(clock))


@pytest.fixture
async def kit(start, till, clock):
    return await start(shop_product(), clock=clock, ports={BillingProviders: BillingProviders({"fake": till})})


@pytest.fixture
async def ada(kit):
    return await kit.sign_in("ada")
