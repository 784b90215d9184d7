"""What happens to trials by themselves: owners are told that the end is near, and then that it has come.

Each workspace has a unit of its own, in which the row that says so and the mail are written: so that of two processes
that find the same one only one writes.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.mail import send_mail
from tenantry.web import Letter, Letters, Translator

from . import queries
from .actions import declared, forget
from .letters import ended_letter, ending_letter
from .moves import expire_trial
from .rows import Workspace


async def expire_trials(ctx: Context, _payload: dict[str, Any]) -> None:
    """Write down which trials are over, and tell their owners; `ctx` has no open unit."""
    while over := await _over(ctx):
        for workspace_id in over:
            await expire(ctx, workspace_id)


async def expire(ctx: Context, workspace_id: UUID) -> bool:
    """Write down that one trial is over, if it is, and tell its owner. Answers whether that was new."""
    async with ctx.service() as working:
        found = await queries.lock(working.db, workspace_id)
        if found is None or found.status != "active" or found.state != "expired":
            return False
        moved, holder_id = await expire_trial(working, found)
        await _send(working, found.user_id, ended_letter(ctx, Translator(), moved))
    forget(ctx, holder_id)
    return True


async def remind_owners(ctx: Context, _payload: dict[str, Any]) -> None:
    """Tell owners of trials that end soon, once for each of the product's reminders; `ctx` has no open unit.

    Soonest first: who is told of the last day is not told of the last three as well.
    """
    for before in sorted(set(declared(ctx).reminders)):
        while untold := await _untold(ctx, before):
            for workspace in untold:
                await remind(ctx, workspace, before)


async def remind(ctx: Context, workspace: Workspace, before: timedelta) -> bool:
    """Tell an owner that this trial ends, unless that was done. Answers whether it was new."""
    async with ctx.service() as working:
        if not await queries.remind(working.db, workspace, before):
            return False
        await _send(working, workspace.user_id, ending_letter(ctx, Translator(), workspace))
    return True


async def _send(ctx: Context, owner: UUID, letter: Letter) -> None:
    # English: nobody's language is kept.
    address = await queries.address(ctx.db, owner)
    if address is not None:
        text, html = ctx.port(Letters).render(letter, Translator())
        await send_mail(ctx, address, letter.subject, text=text, html=html)


async def _over(ctx: Context) -> list[UUID]:
    async with ctx.service(writes=False) as reading:
        return await queries.over(reading.db)


async def _untold(ctx: Context, before: timedelta) -> list[Workspace]:
    async with ctx.service(writes=False) as reading:
        return await queries.untold(reading.db, before)
