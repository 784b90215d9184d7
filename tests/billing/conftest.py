"""A product that is paid for, and a provider in memory that holds the truth."""

import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import insert

from tenantry import Billing, Google, Meter, Plan, Price, Product, Stripe
from tenantry.billing import BillingProviders
from tenantry.billing.events import PaymentRefunded, PaymentSucceeded, SubscriptionStarted
from tenantry.billing.queries import owners
from tenantry.billing.worker import drain
from tenantry.identity.models import Users
from tenantry.kernel import Context, Module
from tenantry.kernel.clock import FrozenClock
from tenantry.kernel.database import param, statement
from tenantry.kernel.jobs import plan_periodic
from tenantry.testing import AppKit
from tenantry.testing.kit import START

# As in `from billing.truth import ...`.
sys.path.append(str(Path(__file__).parents[1]))
from billing.truth import Event, Truth

requests = Meter("requests", per="day")


def paid_product(**changes: Any) -> Product:
    """Three plans, two of them for sale."""
    values: dict[str, Any] = {
        "plans": [
            Plan("free", price=0, limits={requests: 5}),
            Plan("pro", price=Price(900), limits={requests: 50}, trial=timedelta(days=14)),
            Plan("business", price=Price(2900), limits={requests: 500}),
        ],
        "billing": Billing(providers=[Stripe()]),
        "sign_in": [Google()],
        **changes,
    }
    return Product("Acme", **values)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture
def truth(clock: FrozenClock) -> Truth:
    return Truth(clock.now)


@pytest.fixture
def announced() -> list[object]:
    """What billing announced. A unit that was rolled back announced it too; no test here makes one after that."""
    return []


def listening(announced: list[object]) -> Module:
    async def hear(_ctx: Context, event: object) -> None:
        announced.append(event)

    return Module("listening", handlers=dict.fromkeys((PaymentSucceeded, PaymentRefunded, SubscriptionStarted), hear))


@pytest.fixture
async def paid(
    start: Callable[..., Awaitable[AppKit]], clock: FrozenClock, truth: Truth, announced: list[object]
) -> AppKit:
    """The application, whose payment provider is the truth."""
    return await start(
        paid_product(modules=[listening(announced)]),
        clock=clock,
        ports={BillingProviders: BillingProviders({"fake": truth})},
    )


_add_user = statement(insert(Users).values(id=param("id"), email=param("email")))


class Paying:
    """What a test does with an application that is paid."""

    def __init__(self, kit: AppKit, truth: Truth, announced: list[object]) -> None:
        self.kit, self.truth, self.announced = kit, truth, announced

    @staticmethod
    async def add_user(ctx: Context, user: UUID, email: str) -> None:
        await ctx.db.run(_add_user, id=user, email=email)

    async def deliver(self, *events: Event) -> list[httpx2.Response]:
        """Hand events in, one after the other; each must be taken."""
        client = await self.kit.client()
        path = f"/webhooks/{self.truth.name}"
        answers = [await client.post(path, content=one.body, headers=one.headers) for one in events]
        assert [one.status_code for one in answers] == [204] * len(answers), [one.text for one in answers]
        return answers

    async def work(self) -> int:
        """Work on what is due until there is nothing."""
        total = 0
        while ran := await drain(self.kit.runtime):
            total += ran
        return total

    async def run_periodic(self) -> None:
        """Do what the clock wants done now."""
        await plan_periodic(self.kit.runtime)
        await self.kit.run_jobs()

    async def holder_of(self, browser: httpx2.AsyncClient) -> UUID:
        """The id of a signed-in person's own holder."""
        answer = await browser.get("/v1/me")
        async with self.kit.system.service(writes=False) as ctx:
            found = await owners.lock_by_email(ctx.db, answer.json()["email"])
        assert found is not None, answer.text
        return found

    async def plan_of(self, holder: UUID) -> str:
        async with self.kit.system.service(writes=False) as ctx:
            found = await owners.held(ctx.db, holder)
        assert found is not None
        return found[0].plan


@pytest.fixture
async def paying(paid: AppKit, truth: Truth, announced: list[object]) -> Paying:
    return Paying(paid, truth, announced)
