"""`/admin/users`: everybody, and all that one of them has."""

from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response

from tenantry.kernel import Context
from tenantry.kernel.problems import NotFound
from tenantry.usage.credits import balance
from tenantry.web import page

from ..operator import Operator
from ..paging import ROWS, Turned, Word, known, names_of, shown_at, turns
from ..queries import holdings, organizations, users
from ..queries.audit import ENTRIES
from ..queries.subscriptions import SUBSCRIPTIONS
from ..queries.users import LOOKED_THROUGH, ROLES, USERS

PATH = "/admin/users"
SOME = 20
"""Rows of each of a person's lists."""

router = APIRouter()


class Asked(NamedTuple):
    """Which people are shown. `q`: a part of an address or a name, or an id."""

    q: str
    role: str
    plan: str


async def _asked(ctx: Operator, q: Word = "", role: Word = "", plan: Word = "") -> Asked:
    return Asked(q.strip(), known(role, ROLES), known(plan, ctx.product.order))


@shown_at(router, PATH)
async def show_users(
    ctx: Operator, request: Request, place: Turned, asked: Annotated[Asked, Depends(_asked)]
) -> HTMLResponse:
    """List the people, newest first, or look for some."""
    wanted: dict[str, Any] = {"plan": asked.plan or None} | ({asked.role: {}} if asked.role else {})
    async with ctx.service(writes=False) as reading:
        if asked.q:
            found = await users.search(reading.db, asked.q, place, **wanted)
        else:
            found = await USERS.page(reading.db, place, limit=ROWS, **wanted)
    return page(
        request,
        "admin/users.html",
        people=found.rows,
        roles=ROLES,
        plans=ctx.product.plans,
        names=names_of(ctx),
        asked=asked,
        looked_through=LOOKED_THROUGH if asked.q and found.older else 0,
        turns=turns(PATH, found, **asked._asdict()),
    )


@shown_at(router, PATH + "/{user_id}")
async def show_user(ctx: Operator, request: Request, user_id: UUID, done: str = "") -> Response:
    """Show a person: what they are, have and bought, where they are signed in, what was done by them and to them."""
    async with ctx.service(writes=False) as reading:
        person = await users.profile(reading.db, user_id)
        if person is None:
            raise NotFound
        seen = await _belongings(reading, person)
    kept = None
    if ctx.product.credits is not None and person.holder_id is not None:
        kept = await balance(ctx, holder_id=person.holder_id)
    return page(
        request,
        "admin/user.html",
        person=person,
        balance=kept,
        credits=ctx.product.credits,
        has_trials=ctx.product.trials is not None,
        names=names_of(ctx),
        holds_plan=ctx.product.billed == "user",
        done=done,
        is_oneself=person.id == ctx.user_id,
        **seen,
    )


async def _belongings(ctx: Context, person: users.Profile) -> dict[str, Any]:
    """What a person has; None for what the product has not."""
    product, holder = ctx.product, person.holder_id
    about: list[str] = [str(one) for one in (person.id, holder) if one is not None]
    return {
        "accounts": await users.accounts(ctx.db, person.id),
        "sessions": await users.sessions(ctx.db, person.id),
        "keys": await holdings.keys_of_owner(ctx.db, person.id) if product.keys else None,
        "sold": (await SUBSCRIPTIONS.page(ctx.db, limit=SOME, holder=holder)).rows
        if product.billing and holder
        else None,
        "payments": await holdings.payments(ctx.db, holder) if product.billing and holder else None,
        "belongings": await organizations.of_user(ctx.db, person.id) if product.organizations else None,
        "entries": (await ENTRIES.page(ctx.db, limit=SOME, own={"own_id": person.id, "own_subjects": about})).rows,
    }
