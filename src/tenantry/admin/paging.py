"""What the pages share: where a list begins, how the pages beside it are reached, what a form may ask for and hears."""

from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tenantry.kernel import Context, Problem
from tenantry.kernel.listing import CURSOR_CHARACTERS_MAX, Page, Place
from tenantry.web import gettext

Shown = TypeVar("Shown", bound=Callable[..., Any])
ROWS = 50
"""Rows of one page of a list."""
WORD_MAX = 320
_Cursor = Annotated[str, Query(max_length=CURSOR_CHARACTERS_MAX)]
Word = Annotated[str, Query(max_length=WORD_MAX)]
"""What somebody types into a filter: exactly what is looked for, without the spaces around it."""
Reason = Annotated[str, Form(max_length=5000)]
REFUSALS = frozenset({403, 409, 422})
"""What a form is shown again with."""


async def _place(before: _Cursor = "", after: _Cursor = "") -> Place | None:
    return Place.of(before, after)


Turned = Annotated[Place | None, Depends(_place)]
"""The page that is asked for: `before` or `after` a row; None is the first one."""


def shown_at(router: APIRouter, path: str) -> Callable[[Shown], Shown]:
    """A page at a path; it answers HEAD as it answers GET."""
    return router.api_route(path, methods=["GET", "HEAD"], response_class=HTMLResponse)


def turns(path: str, found: Page[Any], **asked: str) -> dict[str, str]:
    """The addresses of the pages beside, with the same filters: `previous` is newer, `next` older; "" at the ends."""
    return {
        "previous": address(path, after=found.newer, **asked) if found.newer else "",
        "next": address(path, before=found.older, **asked) if found.older else "",
    }


def address(path: str, **asked: str) -> str:
    """An address with those parameters that say something."""
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"{path}?{query}" if query else path


def known(word: str, words: Collection[str]) -> str:
    """A word of a select; "" for none, and for one that it does not offer."""
    return word if word in words else ""


def done(path: str, what: str) -> Response:
    """Lead back to a page, which says what was done."""
    return RedirectResponse(address(path, done=what), status_code=303)


def sentence(request: Request, problem: Problem | None) -> str:
    """What a problem says, in the reader's language."""
    return gettext(request)(problem.detail or problem.title) if problem else ""


async def refusal_of(acting: Awaitable[None]) -> Problem | None:
    """Why it was not done; None when it was. What is no answer to a form is raised."""
    try:
        await acting
    except Problem as problem:
        if problem.status not in REFUSALS:
            raise
        return problem
    return None


def names_of(ctx: Context) -> dict[str, str]:
    """What the plans are called."""
    return {plan.name: plan.display_name or plan.name for plan in ctx.product.plans}
