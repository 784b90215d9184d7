"""`/mailbox`: the mails that this installation wrote, to read in development. In production there is no such page."""

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from tenantry.kernel import Context, Open
from tenantry.kernel.frame import is_near
from tenantry.kernel.mail import Mail, mail_of, newest_mails
from tenantry.kernel.problems import NotFound
from tenantry.web import page

from .pages import shown_by

SHOWN_MAX = 50

# A mail comes as its reader's program gets it: its own styles, no script, no form, nothing from elsewhere.
_MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter()
_shown = shown_by(router)


@_shown("/mailbox")
async def show_mailbox(ctx: Open, request: Request) -> HTMLResponse:
    """List the newest mails, also those that no worker has looked at yet."""
    _near_developers_only(ctx, request)
    async with ctx.service(writes=False) as reading:
        mails = await newest_mails(reading.db, SHOWN_MAX)
    return _private(page(request, "site/mailbox.html", mails=mails, shown_max=SHOWN_MAX))


@_shown("/mailbox/{mail_id}")
async def show_mail(ctx: Open, request: Request, mail_id: UUID) -> HTMLResponse:
    """Show the text of one mail."""
    return _private(page(request, "site/mail.html", mail=await _mail(ctx, request, mail_id)))


@_shown("/mailbox/{mail_id}/html")
async def show_mail_html(ctx: Open, request: Request, mail_id: UUID) -> HTMLResponse:
    """The HTML part of one mail, alone and shut in."""
    mail = await _mail(ctx, request, mail_id)
    if mail.html is None:
        raise NotFound
    return _private(HTMLResponse(mail.html, headers={"Content-Security-Policy": _MAIL_POLICY}))


async def _mail(ctx: Context, request: Request, mail_id: UUID) -> Mail:
    _near_developers_only(ctx, request)
    async with ctx.service(writes=False) as reading:
        found = await mail_of(reading, mail_id)
    if found is None:
        raise NotFound
    return found


def _near_developers_only(ctx: Context, request: Request) -> None:
    # Mails sign people in, and a development server may have been opened to the whole world, or through a tunnel.
    settings = ctx.settings
    is_here = is_near(request.scope, ctx.origin.address, trusted_proxies=settings.trusted_proxies)
    if settings.is_production or not is_here:
        raise NotFound


def _private(response: HTMLResponse) -> HTMLResponse:
    response.headers["Cache-Control"] = "no-store"
    return response
