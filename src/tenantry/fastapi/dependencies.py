"""The dependencies. They work in any route of an application that knows the product, in a module's routes too.

Each names the problems it raises in an attribute, from which the description of the API has them. They are functions,
made where they are written, for FastAPI takes its time over objects that can be called.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from fastapi.requests import HTTPConnection

from tenantry.kernel import Context, Problem
from tenantry.kernel.context import context_of
from tenantry.kernel.permissions import Permission
from tenantry.kernel.problems import DatabaseUnavailable, Forbidden, Unauthenticated
from tenantry.kernel.told import tell
from tenantry.keys import ScopeMissing
from tenantry.product import Meter
from tenantry.usage import BurstExceeded, Charge, Decision, QuotaExceeded
from tenantry.usage.credits import CreditsInsufficient, Spent, spend

# What the frame puts on whatever may be about a person, the routes of an application without it say here.
_NOT_STORED = ((b"cache-control", b"no-store"),)


@dataclass(frozen=True, slots=True)
class User:
    """Who is signed in, and the name of the plan that is in force for them. `email` and `name` None: not known."""

    id: UUID
    email: str | None
    name: str | None
    plan: str


def Require(permission: Permission | str) -> Any:  # noqa: N802 - read as FastAPI's own `Depends`
    """Let only those in who have the permission, by its name or itself: strangers 401, others 403.

    For an API key it is a scope.
    """
    wanted = Permission(permission, "") if isinstance(permission, str) else permission

    async def permitted(connection: HTTPConnection) -> None:
        ctx = await _asked(connection)
        if ctx.actor.kind == "anonymous":
            raise Unauthenticated
        if ctx.actor.kind == "key" and wanted.name not in ctx.actor.permissions:
            raise ScopeMissing(f"It needs the scope {wanted.name}.", scope=wanted.name)
        ctx.require(wanted)

    return _raising(permitted, Unauthenticated, Forbidden, ScopeMissing, DatabaseUnavailable)


def Metered(  # noqa: N802 - as Require
    meter: Meter, *, cost: int | Callable[[HTTPConnection], int] = 1
) -> Any:
    """Count the call of whoever asks before the endpoint runs; as a parameter it is the `Decision`.

    `cost` is a number of units (1 to 10**12), or a function of the request; where that answers 0 nobody is asked who
    they are, nothing is counted, and the parameter is None. Refused are strangers (401), calls that come too fast or
    find too little quota (429), and all while the database is away (503, unless the meter says `fail_open`). None of
    these is counted. What is admitted is counted, whatever comes of it; also a body that turns out to be invalid (422).

    Every answer tells how the caller stands, errors and crashes too, unless it says so itself. Of two on one route,
    which both count, the one nearer to the endpoint is told.
    """
    charge = Charge(meter, cost)

    async def counted(connection: HTTPConnection) -> Decision | None:
        found = await charge.count(connection.scope, connection)
        if found is None:
            return None
        decision, headers = found
        tell(connection.scope, headers, _NOT_STORED)
        return decision

    return _raising(counted, Unauthenticated, BurstExceeded, QuotaExceeded, DatabaseUnavailable)


def Costs(  # noqa: N802 - as Require
    amount: int | Callable[[HTTPConnection], int], *, label: str | None = None
) -> Any:
    """Spend credits of whoever asks before the endpoint runs; as a parameter it is what was `Spent`.

    `amount` is 1 to 10**12, or a function of the request; where that answers 0 nobody is asked who they are, and the
    parameter is None. Refused are strangers (401) and who has too few (402). What is spent is spent, whatever comes of
    the request: for work that may fail, `tenantry.usage.credits.reserve` first and `settle` after it.
    """

    async def spent(connection: HTTPConnection) -> Spent | None:
        cost = amount(connection) + 0 if callable(amount) else amount
        if cost == 0:
            return None
        ctx = await _asked(connection)
        if ctx.actor.kind == "anonymous":
            raise Unauthenticated
        return await spend(ctx, cost, label=label)

    return _raising(spent, Unauthenticated, CreditsInsufficient, DatabaseUnavailable)


async def _signed_in(connection: HTTPConnection) -> User:
    ctx = await _asked(connection)
    return User(ctx.user_id, ctx.actor.email, ctx.actor.name, ctx.holder.plan)


async def _asked(connection: HTTPConnection) -> Context:
    ctx = await context_of(connection.scope)
    tell(connection.scope, _NOT_STORED)
    return ctx


def _raising(dependency: Callable[[HTTPConnection], Awaitable[Any]], *problems: type[Problem]) -> Any:
    vars(dependency).update(problems=problems, who="people" if dependency is _signed_in else "callers")
    return Depends(dependency)


CurrentUser = Annotated[User, _raising(_signed_in, Unauthenticated, DatabaseUnavailable)]
"""Who is signed in, by cookie or bearer; strangers are answered 401. `async def report(user: CurrentUser)`."""
