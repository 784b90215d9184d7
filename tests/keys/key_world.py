"""Two processes of one application on one database, and what is done there to people, their trials and their keys."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import httpx2
from msgspec.structs import replace
from sqlalchemy import func, insert, select, update

from kernel.hearing import Ear, told, until
from keys.asked import PATH, bearer
from keys.conftest import calls
from keys.key_model import SCOPE, Holding, Key, Person, Trial, product
from tenantry.holders import by_id, open_for_user, set_plan
from tenantry.holders.billed import Billed, set_billed
from tenantry.holders.models import Holders
from tenantry.identity.actions.admission import prove_address
from tenantry.identity.models import Users
from tenantry.identity.queries import users
from tenantry.kernel import Context, Problem, new_id
from tenantry.kernel.context import Actor
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.types import UtcDateTime
from tenantry.kernel.notices import Notices, tell
from tenantry.kernel.sql import now
from tenantry.keys import CallLog, authorize, issue
from tenantry.keys.models import ApiCalls, ApiKeys
from tenantry.keys.service_keys import issue_for
from tenantry.testing import AppKit, TestDatabase
from tenantry.trials import Workspace, start
from tenantry.trials.notices import expire_trials
from tenantry.trials.queries import page
from tenantry.usage import Leases
from tenantry.usage.models import UsageCounters

_add_user = statement(
    insert(Users).values(id=param("id"), email=param("email"), email_verified_at=param("proven", UtcDateTime()))
)
_holder = update(Holders).where(Holders.id == param("this"))
SUSPENDED = {
    True: statement(_holder.values(suspended_at=now())),
    False: statement(_holder.values(suspended_at=None)),
}
_used = statement(
    select(func.coalesce(func.sum(UsageCounters.used + UsageCounters.overrun), 0)).where(
        UsageCounters.holder_id == param("holder"),
        UsageCounters.window_start <= now(),
        UsageCounters.window_end > now(),
    )
)
_keys = statement(select(ApiKeys.id).where(ApiKeys.holder_id == param("holder")))
_calls = statement(select(func.count()).where(ApiCalls.holder_id == param("holder"), ApiCalls.key_id == param("key")))


class World:
    """The application in two processes, which outlives each machine, and a way to run its coroutines."""

    def __init__(self, kits: list[AppKit], run: Callable[[Awaitable[Any]], Any]) -> None:
        self.kits, self.run = kits, run
        self.ears = [Ear(kit.runtime.port(Notices)) for kit in kits]
        self.services: list[httpx2.AsyncClient] = []
        self.met: Counter[str | None] = Counter()
        """What calls were answered."""
        self._stale: set[int] = set()
        self._last = 0

    @classmethod
    async def build(cls, stack: AsyncExitStack, database: TestDatabase, run: Any) -> Self:
        first = await stack.enter_async_context(AppKit.start(product(), database))
        second = await stack.enter_async_context(AppKit.start(product(), database, clock=first.clock))
        world = cls([first, second], run)
        operator = await world.born(proven=True)
        made = await issue_for(first.system, f"{operator.id}@example.com", label="gateway", scopes=["authorize"])
        world.services = [await kit.client(**bearer(made.secret)) for kit in world.kits]
        return world

    @property
    def now(self) -> datetime:
        return self.kits[0].clock.now()

    async def born(self, *, proven: bool) -> Person:
        """Somebody new, with a holder of their own."""
        user = new_id()
        async with self.kits[0].system.service() as ctx:
            await ctx.db.run(_add_user, id=user, email=f"{user}@example.com", proven=self.now if proven else None)
            holder = await open_for_user(ctx, user)
        return Person(user, Holding(holder, "free"), proven)

    def changed(self, process: int | None = None) -> None:
        """Something was written, of which this process knows at once, or none does; the others are told."""
        self._stale |= {one for one in range(len(self.kits)) if one != process}

    async def arrived(self, *processes: int) -> None:
        """Until these processes, or all, were told of everything that was written."""
        waiting = self._stale.intersection(processes or range(len(self.kits)))
        if waiting:
            marker = await told(self.kits[0])
            await until(lambda: all(marker in self.ears[one].heard for one in waiting))
            self._stale -= waiting

    def informed(self) -> list[int]:
        """The processes that know everything."""
        return [one for one in range(len(self.kits)) if one not in self._stale]

    async def settled(self) -> None:
        """Until the database has what every process spent, and none holds anything."""
        await asyncio.gather(*(kit.runtime.port(Leases).settle() for kit in self.kits))

    async def as_person(self, process: int, person: Person, holding: Holding) -> Context:
        """Their context, acting for a holder of theirs, as a request in this process has it."""
        kit = self.kits[process]
        async with kit.system.service(writes=False) as ctx:
            holder = await by_id(ctx.db, holding.id)
        return Context(kit.runtime, Actor("user", user_id=person.id), kit.system.origin, holder)

    async def issue(self, process: int, person: Person, holding: Holding, *, scoped: bool, tier: str | None) -> Key:
        ctx = await self.as_person(process, person, holding)
        made = await issue(ctx, label="robot", scopes=[SCOPE] if scoped else [], tier=tier)
        waits = holding is person.own and not person.proven
        return Key(made.secret, made.key.id, person, holding, scoped, tier, pending=waits)

    async def start(self, process: int, person: Person) -> Trial:
        made = await start(await self.as_person(process, person, person.own), "Acme")
        return Trial(made.workspace.id, Holding(made.holder.id, made.holder.plan), made.workspace.expires_at)

    async def stand(self, person: Person) -> dict[UUID, Workspace]:
        """Somebody's trials as they stand now."""
        async with self.kits[0].system.service(writes=False) as ctx:
            found = await page(ctx.db, person.id, status=None, before=None, limit=100)
        return {one.workspace.id: one.workspace for one in found}

    async def call(self, process: int, key: Key, cost: int, *, scoped: bool, over_http: bool) -> tuple[str | None, int]:
        """What a process answers: the code of the refusal, or how much was used with this call, or is left after it."""
        await self.arrived(process)
        if process != self._last:
            await self.settled()
            self._last = process
        scope = SCOPE if scoped else None
        if over_http:
            asked = {"key": key.secret, "cost": cost, "scope": scope}
            answer = await self.services[process].post(PATH, json=asked)
            assert answer.status_code == 200, answer.text
            return answer.json()["code"], answer.json()["remaining"]
        try:
            found = await authorize(self.kits[process].system, key.secret, meter=calls, cost=cost, scope=scope)
        except Problem as problem:
            return problem.code, 0
        assert found.decision is not None
        return None, found.decision.used

    async def look(self, process: int, key: Key) -> str:
        """What a process answers without counting: the code of the refusal, or the plan that bounds the key."""
        try:
            found = await authorize(self.kits[process].system, key.secret)
        except Problem as problem:
            return problem.code
        return found.key.holder.plan

    async def operate(self, process: int, do: Any, subject: UUID, *args: Any, **given: Any) -> None:
        """What an operator or a payment does, in a unit of its own; all processes are told."""
        async with self.kits[process].system.service() as ctx:
            await do(ctx, subject, *args, **given)
        self.changed()

    async def expire(self, process: int) -> None:
        await expire_trials(self.kits[process].system, {})
        self.changed(process)

    async def used(self, holding: Holding) -> int:
        async with self.kits[0].system.service(writes=False) as ctx:
            return int(await ctx.db.one(_used, holder=holding.id))

    async def kept(self, holding: Holding) -> set[UUID]:
        """The keys of a holder."""
        async with self.kits[0].system.service(writes=False) as ctx:
            return set(await ctx.db.rows(_keys, holder=holding.id))

    async def logged(self, key: Key) -> int:
        """How many calls of a key its holder has."""
        async with self.kits[0].system.service(writes=False) as ctx:
            return int(await ctx.db.one(_calls, holder=key.holding.id, key=key.id))

    async def written(self) -> None:
        """Until the log of every process is written, of which nothing may be lost."""
        for kit in self.kits:
            await kit.runtime.port(CallLog).flush()
            assert not kit.runtime.port(CallLog).dropped


async def suspend(ctx: Context, holder: UUID, *, is_so: bool) -> None:
    await ctx.db.run(SUSPENDED[is_so], this=holder)
    await tell(ctx, "holder", holder)


async def prove(ctx: Context, user: UUID, *, was_here: bool) -> None:
    """The person followed the link in the mail, in the browser that they were signed in with, or in another."""
    found = await users.lock(ctx.db, user)
    assert found is not None
    await prove_address(replace(ctx, actor=Actor("user", user_id=user)) if was_here else ctx, found)


async def put_on(ctx: Context, holder: UUID, plan: str) -> None:
    await set_plan(ctx, holder, plan, source="admin", reason="test")


async def bill(ctx: Context, holder: UUID, plan: str, ends: datetime, after: str) -> None:
    await set_billed(ctx, holder, Billed(plan, "billing", ends, after))
