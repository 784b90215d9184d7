"""A product that sells and has trials, whose payment provider is the truth; and who looks after it."""

import sys
from datetime import timedelta
from pathlib import Path

import pytest

# As in `from billing.truth import ...`.
sys.path.append(str(Path(__file__).parents[1]))

from admin.acting import Office
from billing.conftest import paid_product
from billing.truth import Truth
from tenantry import Credits, Keys, Organizations, Plan, Trials
from tenantry.billing import BillingProviders
from tenantry.kernel import Module
from tenantry.kernel.clock import FrozenClock
from tenantry.kernel.module import Job
from tenantry.testing.kit import START


async def _fail(_ctx, _payload):
    msg = "the other side said password=hunter2"
    raise RuntimeError(msg)


FAILING = Job("acme.fail", _fail, attempts=1)


@pytest.fixture
async def office(start) -> Office:
    """Ada has the right; grace is anybody."""
    clock = FrozenClock(START)
    truth = Truth(clock.now)
    plans = (*paid_product().plans, Plan("trial", price=0, limits=paid_product().plans[0].limits))
    product = paid_product(
        session_lifetime=timedelta(days=30),
        plans=plans,
        keys=Keys(),
        organizations=Organizations(),
        credits=Credits(name="tokens"),
        trials=Trials("trial", length=timedelta(days=3)),
        modules=[Module("acme", jobs=[FAILING])],
    )
    kit = await start(product, clock=clock, ports={BillingProviders: BillingProviders({"fake": truth})})
    return await Office.open(kit, truth)
