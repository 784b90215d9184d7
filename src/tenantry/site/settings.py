"""`/settings`: the profile, and below it what other rooms add: how one signs in, where one is signed in."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tenantry.identity import change_name, person_name
from tenantry.kernel import Context, Read, Write
from tenantry.kernel.panels import panels_of
from tenantry.kernel.problems import Unauthenticated
from tenantry.web import gettext, page

from . import queries
from .pages import shown_by

router = APIRouter()
_shown = shown_by(router)


@_shown("/settings")
async def show_settings(ctx: Read, request: Request, done: str = "") -> HTMLResponse:
    """Show the profile and the sections of other rooms; `done` says what was just changed."""
    return await _settings(ctx, request, done=done)


@router.post("/settings/profile")
async def change_profile(ctx: Write, request: Request, name: Annotated[str, Form()] = "") -> Response:
    """Change the name, as `PATCH /v1/me` does; an empty one removes it."""
    try:
        wanted = person_name(name) if name.strip() else None
    except ValueError as refused:
        return await _settings(ctx, request, name=name, error=gettext(request)(str(refused)))
    await change_name(ctx, wanted)
    return RedirectResponse("/settings?done=profile#profile", status_code=303)


async def _settings(
    ctx: Context, request: Request, *, done: str = "", name: str | None = None, error: str = ""
) -> HTMLResponse:
    me = await queries.me(ctx.db, ctx.user_id, ctx.holder.id)
    if me is None:
        raise Unauthenticated
    return page(
        request,
        "site/settings.html",
        status=422 if error else 200,
        me=me,
        name=(me.name or "") if name is None else name,
        error=error,
        done=done,
        here="/settings",
        plan=ctx.product.plan(ctx.holder.plan),
        panels=await panels_of(ctx, request, place="settings"),
    )
