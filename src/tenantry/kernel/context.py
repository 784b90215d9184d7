"""What a request carries: one frozen value that is handed through, first argument of every action and query.

Who asks is found out once a request, by the resolvers that rooms plug in. What endpoints ask for: `dependencies.py`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from uuid import UUID

import msgspec
from fastapi import Request
from starlette.types import Scope

from .database.units import ANONYMOUS, Identity, Unit
from .database.units import SERVICE as SERVICE  # noqa: PLC0414 - handed on, for who reads before there is a context
from .frame import client_address
from .impersonation import Impersonation
from .mounted import product_app, product_request
from .permissions import Permission
from .policies import Role
from .problems import Forbidden, PersonNeeded, Unauthenticated

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from tenantry.product import Product

    from .clock import Clock
    from .runtime import Runtime
    from .settings import Settings

Port = TypeVar("Port")


class Actor(msgspec.Struct, frozen=True):
    """Who acts: a stranger, a signed-in user, an API key, or the system itself."""

    kind: Literal["anonymous", "user", "key", "system"]
    user_id: UUID | None = None
    session_id: UUID | None = None
    organization_ids: tuple[UUID, ...] = ()
    organization_names: tuple[str, ...] = ()
    """In the same order."""
    organization_id: UUID | None = None
    organization_role: str | None = None
    """What the person is in the organization that they act for now."""
    permissions: frozenset[str] = frozenset()
    name: str | None = None
    email: str | None = None
    authenticated_at: datetime | None = None
    key_id: UUID | None = None
    tier: str | None = None
    """The plan that bounds a key below what its holder is on; the context's holder names the same."""
    impersonator_id: UUID | None = None
    """The operator who looks through the person's eyes; `impersonation` is what pages say of it."""
    impersonation: Impersonation | None = None


class Holder(msgspec.Struct, frozen=True):
    """Who holds a plan and its quotas, as the request found it."""

    id: UUID
    kind: str
    plan: str
    revision: int
    period_start: datetime | None = None
    period_end: datetime | None = None


class Origin(msgspec.Struct, frozen=True):
    """Where a request came from."""

    request_id: str = "-"
    address: str | None = None
    user_agent: str | None = None


class Resolved(msgspec.Struct, frozen=True):
    """What a credential stands for."""

    actor: Actor
    holder: Holder | None


Resolver = Callable[[Request, "Runtime"], Awaitable[Resolved | None]]
"""Reads one kind of credential from a request; None when the request carries none of that kind.

Its attribute `problems`, where it has one, names what it raises.
"""
Asking = TypeVar("Asking", bound=Callable[..., Any])

STRANGER = Actor("anonymous")
SYSTEM = Actor("system")
WROTE = "kernel.wrote"
"""In `Context.once`: a unit that writes was committed for this request."""
# Beside what an author's own application keeps in the scope's state.
_RESOLVED = "tenantry.context"


class Context(msgspec.Struct, frozen=True):
    """See the module's text; another one like it: `msgspec.structs.replace`.

    `db` is the open unit of work; with `Open` there is none until `unit()` or `service()`.

    `once`: what a room does only once for a request and has done; None in a job, a command and a websocket.
    """

    runtime: "Runtime"
    actor: Actor
    origin: Origin
    current_holder: Holder | None = None
    unit_of_work: Unit | None = None
    once: set[object] | None = None

    @property
    def db(self) -> Unit:
        """The open unit of work."""
        if self.unit_of_work is None:
            msg = "this context has no open unit of work; take `async with ctx.unit() as ctx`"
            raise RuntimeError(msg)
        return self.unit_of_work

    @property
    def holder(self) -> Holder:
        """Whose plan and quotas count here."""
        if self.current_holder is None:
            raise Unauthenticated
        return self.current_holder

    @property
    def user_id(self) -> UUID:
        """The signed-in user; a stranger is answered 401, a program with an API key 403."""
        if self.actor.user_id is None:
            raise PersonNeeded if self.actor.kind == "key" else Unauthenticated
        return self.actor.user_id

    @property
    def product(self) -> "Product":
        return self.runtime.product

    @property
    def settings(self) -> "Settings":
        return self.runtime.settings

    @property
    def clock(self) -> "Clock":
        return self.runtime.clock

    def require(self, permission: Permission) -> None:
        """Refuse (403) an actor without the permission. The system may everything."""
        if self.actor.kind != "system" and permission.name not in self.actor.permissions:
            raise Forbidden(permission=permission.name)

    def port(self, protocol: type[Port]) -> Port:
        """The outside service that the application built for this protocol."""
        return self.runtime.port(protocol)

    async def emit(self, event: object) -> None:
        """Announce a fact: every handler of its type runs now, in this unit of work, in floor order."""
        for handler in self.runtime.handlers.get(type(event), ()):
            await handler(self, event)

    @asynccontextmanager
    async def unit(self, *, writes: bool = True) -> AsyncIterator["Context"]:
        """A short unit of work as the actor; commits at the end, rolls back on any exception."""
        unit = self.runtime.api.unit(identity_of(self.actor), writes=writes)
        async with _working(unit, self.once):
            yield self._with(unit)

    def reading(self) -> "Context":
        """This context with a reading unit as the actor, which holds nothing between reads and needs no end."""
        return self._with(self.runtime.api.unit(identity_of(self.actor), writes=False))

    @asynccontextmanager
    async def service(self, *, writes: bool = True, single: bool = False) -> AsyncIterator["Context"]:
        """A short unit of work on the service login, for what the room's `module.py` gives a reason for.

        `single`: it writes with one statement, which commits by itself and is not taken back; see `Unit`.
        """
        unit = self.runtime.service.unit(SERVICE, writes=writes, single=single)
        async with _working(unit, self.once):
            yield self._with(unit)

    def session(self) -> AbstractAsyncContextManager["AsyncSession"]:
        """An SQLAlchemy session inside the open unit of work, for an author's own tables: `async with ctx.session()`.

        It runs on the unit's connection, in its transaction and as its actor. Every statement it makes carries the
        policies of its tables, as `ctx.db`'s do, on both databases: foreign rows are not found, a row that breaks a
        policy is `PolicyViolation`, a column or command nobody granted is `PolicyRefused`. What a constraint refuses
        is told in the same words too (`UniqueViolation`, ...).

        It is flushed at its end. The unit alone commits and rolls back: `commit`, `rollback`, `begin` and
        `begin_nested` raise `UnitDecides`, and a flush that failed leaves a unit that can only be rolled back. Raw SQL
        (`text`, `exec_driver_sql`) is refused as a statement, because no policy reaches into it.
        """
        return self.runtime.sessions.session(self.db)

    def _with(self, unit: Unit) -> "Context":
        return Context(self.runtime, self.actor, self.origin, self.current_holder, unit, self.once)


def identity_of(actor: Actor) -> Identity:
    """As whom the API login acts for this actor."""
    if actor.user_id is None:
        return ANONYMOUS
    return Identity(Role.AUTHENTICATED, actor.user_id, actor.organization_ids)


def system_context(runtime: "Runtime", origin: Origin | None = None) -> Context:
    """The context of a job or a command: nobody's request."""
    return Context(runtime, SYSTEM, origin or Origin())


def asking(who: Literal["anyone", "callers", "people"]) -> Callable[[Asking], Asking]:
    """Mark a dependency that finds out who asks with whom it lets in: the description of the API reads it."""

    def marked(dependency: Asking) -> Asking:
        vars(dependency)["who"] = who
        return dependency

    return marked


@asking("anyone")
async def open_context(request: Request) -> Context:
    """Who asks, with no unit of work open yet. Resolved once per request."""
    return resolved_context(request.scope) or await _resolved(request, product_app(request.scope).state.runtime)


async def context_of(scope: Scope) -> Context:
    """`open_context` for a layer that has no `Request` of the product's: ASGI, a websocket, somebody's own route."""
    found = resolved_context(scope)
    if found is None:
        request = product_request(scope)
        found = await _resolved(request, request.app.state.runtime)
    return found


def resolved_context(scope: Scope) -> Context | None:
    """What `open_context` found for this request; None when nobody has asked yet."""
    found: Context | None = scope.get("state", {}).get(_RESOLVED)
    return found


async def _resolved(request: Request, runtime: "Runtime") -> Context:
    resolved = None
    for resolver in runtime.resolvers:
        resolved = await resolver(request, runtime)
        if resolved is not None:
            break
    scope = request.scope
    found = Context(
        runtime,
        resolved.actor if resolved else STRANGER,
        _origin(scope, runtime),
        resolved.holder if resolved else None,
        # A websocket's handshake is seen as a CONNECT.
        once=None if scope["method"] == "CONNECT" else set(),
    )
    scope["state"][_RESOLVED] = found
    return found


def _origin(scope: Scope, runtime: "Runtime") -> Origin:
    state = scope.setdefault("state", {})
    if "client_address" not in state:
        # A route of somebody's own application, which our frame does not stand around.
        proxies = runtime.settings.trusted_proxies
        state["client_address"] = client_address(scope, dict(scope["headers"]) if proxies else {}, proxies)
    return Origin(state.get("request_id", "-"), state["client_address"], _user_agent(scope))


def _user_agent(scope: Scope) -> str | None:
    # Not `request.headers`, which is made for it and decodes every name.
    for name, value in scope["headers"]:
        if name == b"user-agent":
            found: str = value.decode("latin-1")
            return found
    return None


@asynccontextmanager
async def _working(unit: Unit, once: set[object] | None) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await unit.rollback()
        raise
    if unit.writes:
        await unit.commit()
        if once is not None:
            once.add(WROTE)
    else:
        await unit.rollback()


Handler = Callable[[Context, Any], Awaitable[None]]
"""Reacts to an event of a lower room in the same transaction."""
