"""What the pages share whose flows send a mail: "look into your mailbox", and whose browser asked for it."""

from typing import Protocol
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from tenantry.kernel import Context, Problem
from tenantry.kernel.attempts import TooManyAttempts
from tenantry.web import page

from .. import cookies
from ..actions.mailed import Entered, KeyShown
from ..asked import Asked, drop_asked, keep_asked, read_asked
from ..errors import CodeWrong
from ..tokens import Purpose
from .failing import told
from .letting_in import let_in
from .verify import Form


class Enter(Protocol):
    """An action that lets a person in who shows what a mail brought."""

    async def __call__(self, ctx: Context, shown: KeyShown, /, *, old_token: str | None) -> Entered: ...


def to_sent(ctx: Context, asked: Asked) -> Response:
    """Send the browser on to `/auth/sent`, with a note of what it asked for."""
    response = RedirectResponse("/auth/sent", status_code=303)
    keep_asked(response, asked, ctx=ctx)
    return response


def sent_page(request: Request, ctx: Context, asked: Asked, *, error: str = "", status: int = 200) -> Response:
    """The page after asking: it says the same whoever has the address."""
    keeps_mails = not ctx.settings.is_production and ctx.settings.smtp_url is None
    response = page(
        request,
        "identity/mailed/sent.html",
        status=status,
        asked=asked,
        minutes=int(asked.purpose.lifetime.total_seconds()) // 60,
        error=error,
        keeps_mails=keeps_mails,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


async def show_sent(request: Request, ctx: Context, asked: Asked) -> Response:
    """What `/auth/sent` shows of a flow whose mail lets a person in."""
    return sent_page(request, ctx, asked)


async def enter_by_code(request: Request, ctx: Context, asked: Asked, form: Form, enter: Enter) -> Response:
    """Let a person in by a mail's code, or show the page again with what was wrong about it."""
    shown = KeyShown(challenge=asked.challenge, code=form.get("code", ""))
    try:
        entered = await enter(ctx, shown, old_token=cookies.session_token(request, ctx.settings))
    except (CodeWrong, TooManyAttempts) as problem:
        return _code_refused(request, ctx, asked, problem)
    return go_in(request, ctx, entered)


def challenge_here(request: Request, ctx: Context, purpose: Purpose) -> UUID | None:
    """The challenge of the mail that this very browser asked for; None when it asked for none of this purpose."""
    asked = read_asked(request, ctx=ctx)
    return asked.challenge if asked is not None and asked.purpose is purpose else None


def go_in(request: Request, ctx: Context, entered: Entered) -> Response:
    """Let a person in who showed a mail; the browser's note of it has served."""
    response = let_in(request, ctx, entered.admission, entered.return_to)
    drop_asked(response, request, ctx=ctx)
    return response


def _code_refused(request: Request, ctx: Context, asked: Asked, problem: Problem) -> Response:
    response = sent_page(request, ctx, asked, error=told(request, problem), status=problem.status)
    response.headers.update(problem.headers)
    return response
