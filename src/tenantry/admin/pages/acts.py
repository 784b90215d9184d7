"""What an operator does with a person, a session or a key: each a page that asks for a reason, and its POST."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from tenantry.identity.impersonating import look_through
from tenantry.identity.operating import refuse_plans_of_organizations
from tenantry.identity.recent import confirm_first
from tenantry.kernel import Context, Problem
from tenantry.kernel.problems import NotFound
from tenantry.web import page

from .. import people
from ..operator import Operator
from ..paging import REFUSALS, Reason, done, names_of, refusal_of, sentence, shown_at
from ..people import ACTS, Given
from ..queries import holdings, users
from ..queries.holdings import Key
from ..queries.users import Profile
from .users import PATH

KEYS = "/admin/keys"
GRAVE = frozenset({"impersonate", *(name for name, act in ACTS.items() if act.is_grave)})
NOTHING = Given()

router = APIRouter()


async def _given(request: Request) -> Given:
    async with request.form(max_fields=10, max_files=0) as form:
        typed = {name: one for name, one in form.items() if name in Given._fields and isinstance(one, str)}
    return Given(**typed)


Filled = Annotated[Given, Depends(_given)]


@shown_at(router, PATH + "/{user_id}/{act}")
async def show_act(ctx: Operator, request: Request, user_id: UUID, act: str) -> Response:
    """Ask for what an act needs; before a grave one, who the operator is."""
    if act not in ACTS and act not in GRAVE:
        raise NotFound
    person = await person_of(ctx, user_id)
    if act == "plan":
        refuse_plans_of_organizations(ctx)
    return (confirm_first(request, ctx) if act in GRAVE else None) or _form(ctx, request, person, act)


@router.post(PATH + "/{user_id}/impersonate")
async def impersonate(ctx: Operator, request: Request, user_id: UUID, given: Filled) -> Response:
    """Begin to look through a person's eyes: their dashboard is shown next."""
    person = await person_of(ctx, user_id)
    if first := confirm_first(request, ctx):
        return first
    try:
        return await look_through(request, ctx, person.id, reason=given.reason, may_write=bool(given.may_write))
    except Problem as problem:
        if problem.status not in REFUSALS:
            raise
        return _form(ctx, request, person, "impersonate", problem=problem, given=given)


@router.post(PATH + "/{user_id}/{act}")
async def act_on_person(ctx: Operator, request: Request, user_id: UUID, act: str, given: Filled) -> Response:
    """Do it, and lead back to the person."""
    known = ACTS.get(act)
    if known is None:
        raise NotFound
    person = await person_of(ctx, user_id)
    if known.is_grave and (first := confirm_first(request, ctx)):
        return first
    problem = await refusal_of(known.apply(ctx, person, given))
    if problem is not None:
        return _form(ctx, request, person, act, problem=problem, given=given)
    return done(f"{PATH}/{user_id}", known.done)


@shown_at(router, PATH + "/{user_id}/sessions/{session_id}")
async def show_session_end(ctx: Operator, request: Request, user_id: UUID, session_id: UUID) -> Response:
    """Ask why a session is ended."""
    person = await person_of(ctx, user_id)
    if session_id not in {one.id for one in await _sessions(ctx, person)}:
        raise NotFound
    return _form(ctx, request, person, "session")


@router.post(PATH + "/{user_id}/sessions/{session_id}")
async def end_session(
    ctx: Operator, request: Request, user_id: UUID, session_id: UUID, reason: Reason = ""
) -> Response:
    """End it."""
    person = await person_of(ctx, user_id)
    problem = await refusal_of(people.end_session(ctx, person, session_id, reason=reason))
    if problem is not None:
        return _form(ctx, request, person, "session", problem=problem, given=Given(reason))
    return done(f"{PATH}/{user_id}", "session_ended")


@shown_at(router, KEYS + "/{key_id}")
async def show_key(ctx: Operator, request: Request, key_id: UUID) -> Response:
    """Show a key, and ask why it is revoked."""
    return _key_form(request, await _key_of(ctx, key_id))


@router.post(KEYS + "/{key_id}/revoke")
async def revoke_key(ctx: Operator, request: Request, key_id: UUID, reason: Reason = "") -> Response:
    """Revoke it."""
    key = await _key_of(ctx, key_id)
    problem = await refusal_of(people.revoke_key(ctx, key, reason=reason))
    return _key_form(request, key, problem=problem, reason=reason) if problem else done(_home(key), "revoked")


async def person_of(ctx: Context, user_id: UUID) -> Profile:
    """The person of an address; raises `NotFound`."""
    async with ctx.service(writes=False) as reading:
        found = await users.profile(reading.db, user_id)
    if found is None:
        raise NotFound
    return found


async def _sessions(ctx: Context, person: Profile) -> list[users.Session]:
    async with ctx.service(writes=False) as reading:
        return await users.sessions(reading.db, person.id)


async def _key_of(ctx: Context, key_id: UUID) -> Key:
    async with ctx.service(writes=False) as reading:
        found = await holdings.key(reading.db, key_id)
    if found is None:
        raise NotFound
    return found


def _form(
    ctx: Context, request: Request, person: Profile, act: str, *, problem: Problem | None = None, given: Given = NOTHING
) -> Response:
    return page(
        request,
        "admin/act.html",
        status=problem.status if problem else 200,
        act=act,
        path=request.url.path,
        person=person,
        plans=ctx.product.plans,
        names=names_of(ctx),
        given=given,
        refusal=sentence(request, problem),
    )


def _key_form(request: Request, key: Key, *, problem: Problem | None = None, reason: str = "") -> Response:
    return page(
        request,
        "admin/key.html",
        status=problem.status if problem else 200,
        key=key,
        home=_home(key),
        reason=reason,
        refusal=sentence(request, problem),
    )


def _home(key: Key) -> str:
    return f"/admin/organizations/{key.organization_id}" if key.organization_id else f"{PATH}/{key.owner_id}"
