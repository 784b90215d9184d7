"""`/admin/organizations`: everybody's organizations, and all that one of them has."""

from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, Response

from tenantry.kernel import Context, Problem
from tenantry.kernel.problems import NotFound
from tenantry.usage.credits import balance
from tenantry.web import page

from .. import people
from ..operator import Operator, Organizer
from ..paging import ROWS, Reason, Turned, Word, done, known, names_of, refusal_of, sentence, shown_at, turns
from ..queries import holdings, organizations
from ..queries.audit import ENTRIES
from ..queries.organizations import ORGANIZATIONS, Listed
from ..queries.subscriptions import SUBSCRIPTIONS
from .users import SOME

PATH = "/admin/organizations"

router = APIRouter()


class Asked(NamedTuple):
    """Which organizations are shown."""

    owner: str
    plan: str


async def _asked(ctx: Operator, owner: Word = "", plan: Word = "") -> Asked:
    return Asked(owner.strip(), known(plan, ctx.product.order) if ctx.product.billed == "organization" else "")


@shown_at(router, PATH)
async def show_organizations(
    ctx: Organizer, request: Request, place: Turned, asked: Annotated[Asked, Depends(_asked)]
) -> HTMLResponse:
    """List the organizations, newest first."""
    wanted = {name: value or None for name, value in asked._asdict().items()}
    async with ctx.service(writes=False) as reading:
        found = await ORGANIZATIONS.page(reading.db, place, limit=ROWS, **wanted)
    return page(
        request,
        "admin/organizations.html",
        organizations=found.rows,
        plans=ctx.product.plans if ctx.product.billed == "organization" else (),
        names=names_of(ctx),
        asked=asked,
        turns=turns(PATH, found, **asked._asdict()),
    )


@shown_at(router, PATH + "/{organization_id}")
async def show_organization(ctx: Organizer, request: Request, organization_id: UUID, done: str = "") -> Response:
    """Show an organization: who belongs to it, what it has and bought, and what was done to it."""
    return await _organization_page(ctx, request, await _one(ctx, organization_id), done=done)


@router.post(PATH + "/{organization_id}/plan")
async def give_plan(
    ctx: Organizer,
    request: Request,
    organization_id: UUID,
    plan: Annotated[str, Form(max_length=100)] = "",
    reason: Reason = "",
) -> Response:
    """Give an organization a plan by hand, where organizations are billed."""
    found = await _one(ctx, organization_id)
    if found.holder_id is None:
        raise NotFound
    problem = await refusal_of(people.give_plan_to(ctx, found.holder_id, plan, reason=reason))
    if problem is not None:
        return await _organization_page(ctx, request, found, problem=problem, plan=plan, reason=reason)
    return done(f"{PATH}/{organization_id}", "planned")


async def _one(ctx: Context, organization_id: UUID) -> Listed:
    async with ctx.service(writes=False) as reading:
        found = await organizations.one(reading.db, organization_id)
    if found is None:
        raise NotFound
    return found


async def _organization_page(
    ctx: Context, request: Request, found: Listed, *, problem: Problem | None = None, **typed: str
) -> Response:
    async with ctx.service(writes=False) as reading:
        seen = await _belongings(reading, found)
    kept = None
    if ctx.product.credits is not None and found.holder_id is not None:
        kept = await balance(ctx, holder_id=found.holder_id)
    return page(
        request,
        "admin/organization.html",
        status=problem.status if problem else 200,
        organization=found,
        balance=kept,
        credits=ctx.product.credits,
        plans=ctx.product.plans,
        names=names_of(ctx),
        refusal=sentence(request, problem),
        **({"plan": "", "reason": "", "done": ""} | typed),
        **seen,
    )


async def _belongings(ctx: Context, found: Listed) -> dict[str, Any]:
    """What an organization has; None for what it does not hold, or the product has not."""
    product, holder = ctx.product, found.holder_id
    about = {"own_id": found.id, "own_subjects": [str(one) for one in (found.id, holder) if one is not None]}
    sells = product.billing is not None
    return {
        "members": await organizations.members(ctx.db, found.id),
        "invited": await organizations.invited(ctx.db, found.id),
        "keys": await holdings.keys_of_holder(ctx.db, holder) if product.keys and holder else None,
        "sold": (await SUBSCRIPTIONS.page(ctx.db, limit=SOME, holder=holder)).rows if sells and holder else None,
        "payments": await holdings.payments(ctx.db, holder) if sells and holder else None,
        "entries": (await ENTRIES.page(ctx.db, limit=SOME, own=about)).rows,
    }
