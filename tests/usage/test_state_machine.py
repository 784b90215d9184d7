"""Workers, callers, crashes, lost answers, plans and clocks in any order: nobody is admitted beyond the limit.

The machine is in `quota_machine.py` and `reservation_steps.py`; its workers, and what may go wrong between them
and the database, in `lease_world.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import update

from tenantry.holders.models import Plans
from tenantry.kernel.database import statement
from tenantry.testing import AppKit, TestDatabase
from tenantry.usage import Leases
from usage.lease_world import World
from usage.quota_machine import PLACES, PRODUCT, exports
from usage.reservation_steps import QuotasAndReservations

# As a deployment wrote it that did not know the other meters: a declaration of today names all of them.
_forget_meters = statement(update(Plans).where(Plans.name == "without").values(limits={exports.name: 40}))


@pytest.fixture
def world(database: TestDatabase, add_user: Callable[..., Awaitable[None]]) -> Iterator[World]:
    """The database and the operator's application, on a loop of their own: the machine's steps are no coroutines."""

    async def begin(stack: AsyncExitStack) -> World:
        kit = await stack.enter_async_context(AppKit.start(PRODUCT, database))
        async with kit.system.service() as ctx:
            await ctx.db.run(_forget_meters)
        found = World(kit, runner.run, add_user)
        await found.open(PLACES, stack)
        return found

    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        yield runner.run(begin(stack))
        runner.run(stack.aclose())


@pytest.mark.parametrize(
    ("runs", "steps"), [(5, 25), pytest.param(400, 60, marks=[pytest.mark.deep, pytest.mark.timeout(3600)])]
)
def test_nobody_is_admitted_beyond_the_limit(world: World, runs: int, steps: int) -> None:
    chosen = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # To make a failure small takes minutes, which the long run has.
        phases=[Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if runs > 5 else [])],
    )
    run_state_machine_as_test(lambda: QuotasAndReservations(world, Leases), settings=chosen)
