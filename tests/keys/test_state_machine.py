"""Keys, bans, plans, quota and time in any order: every answer of `authorize` is the one that a plain model gives."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import insert

from keys.asked import CHANGES, FAULTS
from keys.conftest import calls, keyed_product
from tenantry import Keys, Plan, Scope
from tenantry.holders import by_id, open_for_user, set_plan
from tenantry.identity.actions.people import ban_user, lift_ban
from tenantry.identity.models import Users
from tenantry.kernel import Context, Problem, new_id
from tenantry.kernel.context import Actor
from tenantry.kernel.database import param, statement
from tenantry.kernel.sql import now
from tenantry.keys import KnownKeys, authorize, issue, revoke, rotate
from tenantry.testing import AppKit, TestDatabase
from tenantry.usage import Leases

LIMITS = {"free": 6, "pro": 20}
PRODUCT = keyed_product(
    plans=[Plan(name, price=rank, limits={calls: limit}) for rank, (name, limit) in enumerate(LIMITS.items())],
    keys=Keys("acme", meter=calls, scopes=[Scope("work:write", "Change work.")]),
    modules=[],
)
_add_user = statement(insert(Users).values(id=param("id"), email=param("email"), email_verified_at=now()))
GRACE = timedelta(hours=1)


@dataclass
class Key:
    """What the model knows of a key."""

    secret: str
    id: UUID
    scopes: set[str]
    tier: str | None
    revoked: bool = False
    followed: bool = False
    ends: float = float("inf")
    """In seconds since the machine began."""


@dataclass
class Somebody:
    """What the model knows of a person and their holder."""

    user: UUID
    ctx: Context
    keys: list[Key] = field(default_factory=list)
    plan: str = "free"
    banned: bool = False
    suspended: bool = False
    used: int = 0
    limit: int = LIMITS["free"]


class World:
    """The application, which outlives each machine, and a way to run its coroutines."""

    def __init__(self, kit: AppKit, run: Any) -> None:
        self.kit, self.run = kit, run


class Authorizing(RuleBasedStateMachine):
    """Two people with keys. Nobody waits for a notice: what this process changes, it knows at once."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.kit, self.run, self.seconds = world.kit, world.run, 0.0
        self.people = [self.run(self._born()) for _ in range(2)]

    async def _born(self) -> Somebody:
        user = new_id()
        async with self.kit.system.service() as ctx:
            await ctx.db.run(_add_user, id=user, email=f"{user}@example.com")
            holder = await by_id(ctx.db, await open_for_user(ctx, user))
        return Somebody(user, Context(self.kit.runtime, Actor("user", user_id=user), self.kit.system.origin, holder))

    def teardown(self) -> None:
        self.run(self.kit.runtime.port(Leases).settle())

    def _forget(self, *subjects: UUID) -> None:
        for subject in subjects:
            self.kit.runtime.port(KnownKeys).forget(subject)
            self.kit.runtime.port(Leases).expire(subject)

    @rule(who=st.integers(0, 1), scoped=st.booleans(), tier=st.sampled_from([None, "free"]))
    def issue(self, who: int, scoped: bool, tier: str | None) -> None:
        person, scopes = self.people[who], {"work:write"} if scoped else set()
        made = self.run(issue(person.ctx, label="robot", scopes=sorted(scopes), tier=tier))
        person.keys.append(Key(made.secret, made.key.id, scopes, tier))

    @rule(who=st.integers(0, 1), which=st.integers(0, 5))
    def revoke(self, who: int, which: int) -> None:
        if key := self._key(who, which):
            self.run(revoke(self.people[who].ctx, key.id))
            key.revoked = True

    @rule(who=st.integers(0, 1), which=st.integers(0, 5))
    def rotate(self, who: int, which: int) -> None:
        key = self._key(who, which)
        if key is None:
            return
        asked = rotate(self.people[who].ctx, key.id, grace=GRACE)
        if key.followed or key.revoked or self.seconds >= key.ends:
            with pytest.raises(Problem):
                self.run(asked)
            return
        made = self.run(asked)
        self.people[who].keys.append(Key(made.secret, made.key.id, key.scopes, key.tier, ends=key.ends))
        key.followed, key.ends = True, min(key.ends, self.seconds + GRACE.total_seconds())

    @rule(who=st.integers(0, 1))
    def ban(self, who: int) -> None:
        self.run(self._of_user(ban_user, self.people[who].user))
        self.people[who].banned = True

    @rule(who=st.integers(0, 1))
    def lift_ban(self, who: int) -> None:
        if self.people[who].banned:
            self.run(self._of_user(lift_ban, self.people[who].user))
            self.people[who].banned = False

    @rule(who=st.integers(0, 1))
    def suspend(self, who: int) -> None:
        person = self.people[who]
        self.run(self._write(CHANGES["keys.holder_suspended"][1], person.ctx.holder.id))
        person.suspended = True

    @rule(who=st.integers(0, 1), plan=st.sampled_from([*LIMITS]))
    def change_plan(self, who: int, plan: str) -> None:
        person = self.people[who]
        self.run(self._set_plan(person.ctx.holder.id, plan))
        person.plan, person.limit = plan, max(LIMITS[plan], person.used)

    @rule(hours=st.sampled_from([0.5, 1.0, 3.0]))
    def time_passes(self, hours: float) -> None:
        before = self.kit.clock.now()
        self.run(self.kit.move(hours=hours))
        self.seconds += hours * 3600
        if self.kit.clock.now().date() != before.date():
            for person in self.people:
                person.used, person.limit = 0, LIMITS[person.plan]

    @rule(who=st.integers(0, 1), which=st.integers(0, 5), cost=st.integers(1, 4), scoped=st.booleans())
    def call(self, who: int, which: int, cost: int, scoped: bool) -> None:
        key = self._key(who, which)
        if key is None:
            return
        person, expected = self.people[who], self._expected(self.people[who], key, cost, scoped=scoped)
        scope = "work:write" if scoped else None
        asked = authorize(self.kit.system, key.secret, meter=calls, cost=cost, scope=scope)
        if expected is not None:
            with pytest.raises(Problem) as refused:
                self.run(asked)
            assert refused.value.code == expected
            return
        decision = self.run(asked).decision
        person.used += cost
        assert decision is not None
        assert decision.used == person.used

    @invariant()
    def the_model_knows_its_codes(self) -> None:
        assert {"keys.revoked", "keys.expired", "keys.owner_banned"} < set(FAULTS)

    def _expected(self, person: Somebody, key: Key, cost: int, *, scoped: bool) -> str | None:
        tier = "free" if key.tier == "free" else person.plan
        faults = {
            "keys.revoked": key.revoked,
            "keys.expired": self.seconds >= key.ends,
            "keys.owner_banned": person.banned,
            "keys.holder_suspended": person.suspended,
            "keys.scope_missing": scoped and not key.scopes,
            "usage.quota_exceeded": person.used + cost > min(person.limit, LIMITS[tier] if tier != person.plan else 99),
        }
        return next((code for code in FAULTS if faults.get(code)), None)

    def _key(self, who: int, which: int) -> Key | None:
        keys = self.people[who].keys
        return keys[which % len(keys)] if keys else None

    async def _of_user(self, do: Any, user: UUID) -> None:
        async with self.kit.system.service() as ctx:
            await do(ctx, user, reason="test")
        self._forget(user)

    async def _set_plan(self, holder: UUID, plan: str) -> None:
        async with self.kit.system.service() as ctx:
            await set_plan(ctx, holder, plan, source="admin", reason="test")
        self._forget(holder)

    async def _write(self, change: Any, subject: UUID) -> None:
        async with self.kit.system.service() as ctx:
            await ctx.db.run(change, this=subject)
        self._forget(subject)


@pytest.fixture
def world(database: TestDatabase) -> Iterator[World]:
    """On a loop of its own: the machine's steps are no coroutines."""
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        kit = runner.run(stack.enter_async_context(AppKit.start(PRODUCT, database)))
        yield World(kit, runner.run)
        runner.run(stack.aclose())


@pytest.mark.parametrize(
    ("runs", "steps"), [(8, 30), pytest.param(400, 60, marks=[pytest.mark.deep, pytest.mark.timeout(3600)])]
)
def test_every_answer_is_the_models(world: World, runs: int, steps: int) -> None:
    chosen = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # To make a failure small takes minutes, which the long run has.
        phases=[Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if runs > 8 else [])],
    )
    run_state_machine_as_test(lambda: Authorizing(world), settings=chosen)
