"""Sending mail: a row and a job in the caller's transaction, SMTP outside any."""

from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from msgspec.structs import replace

from ..addresses import stays_here
from ..context import Context
from ..crypto import SealBroken
from ..database.units import refuse_while_open
from ..extras import extra
from ..ids import new_id
from ..jobs import enqueue
from ..module import Job
from ..retention import forget
from ..settings import Settings
from . import queries
from .queries import Mail


async def send_mail(
    ctx: Context, recipient: str, subject: str, *, text: str, html: str | None = None, wanted: bool = True
) -> UUID:
    """Write a mail into the open unit of work; it goes out once that commits. Answers the mail's id.

    What it says is sealed: links in mails sign people in, and a copy of the database must not. Not `wanted`, all of
    that is done too, but the job deletes the mail instead of sending it: so that nobody can time whether somebody is
    written to. Raises ValueError for what `compose` refuses.
    """
    mail = Mail(new_id(), recipient, subject, text, html, "queued")
    compose(ctx.settings.mail_from, mail)
    await queries.add(ctx.db, _sealed(ctx, mail), ctx.actor.user_id)
    await enqueue(ctx, DELIVER, {"mail": str(mail.id), "wanted": wanted}, once_key=once_key_of(mail.id))
    return mail.id


def once_key_of(mail: UUID) -> str:
    """What the job that delivers a mail is found by."""
    return f"mail:{mail}"


async def mail_of(ctx: Context, mail: UUID) -> Mail | None:
    """A mail with what it says, from the open unit on the service login; None when there is none to be read."""
    found = await queries.by_id(ctx.db, mail)
    try:
        return _opened(ctx, found) if found else None
    except SealBroken:
        return None  # Sealed under a secret key that is gone.


async def _deliver(ctx: Context, payload: dict[str, Any]) -> None:
    async with ctx.service(writes=False) as reading:
        mail = await queries.by_id(reading.db, UUID(payload["mail"]))
    if mail is None or mail.status != "queued":
        return
    if not payload.get("wanted", True):
        async with ctx.service() as working:
            await queries.drop(working.db, mail.id)
        return
    if ctx.settings.smtp_url is None:
        status = "kept"
    else:
        await smtp_send(ctx.settings, _opened(ctx, mail))
        status = "sent"
    async with ctx.service() as working:
        await queries.settle(working.db, mail.id, status)


DELIVER = Job("mail.deliver", _deliver)


async def forget_sent(ctx: Context, _payload: dict[str, Any]) -> None:
    """Delete mails that went out longer ago than finished jobs are kept."""
    kept = timedelta(days=ctx.settings.jobs_retention_days)
    await forget(ctx, queries.EXPIRED, before=ctx.clock.now() - kept)


async def smtp_send(settings: Settings, mail: Mail) -> None:
    """Hand one mail to the SMTP server of `TENANTRY_SMTP_URL` (`smtp://` with STARTTLS where offered, `smtps://`).

    In production a mail, which may sign somebody in, leaves this machine encrypted or not at all: a server elsewhere
    that does not offer STARTTLS gets none.
    """
    refuse_while_open("sending mail")
    if settings.smtp_url is None:
        msg = "no SMTP server is configured"
        raise RuntimeError(msg)
    address = settings.smtp_url.get_secret_value()
    server = urlsplit(address)
    is_demanded = server.scheme == "smtp" and settings.is_production and not stays_here(address)
    # Loaded by the first mail: a server that sends none does without it.
    await extra("aiosmtplib").send(
        compose(settings.mail_from, mail),
        hostname=server.hostname,
        port=server.port or (465 if server.scheme == "smtps" else 587),
        username=unquote(server.username) if server.username else None,
        password=unquote(server.password) if server.password else None,
        use_tls=server.scheme == "smtps",
        start_tls=True if is_demanded else None,
        timeout=20,
    )


def compose(sender: str, mail: Mail) -> EmailMessage:
    """The message with a text and, where there is one, an HTML part.

    ValueError for a line break in a header, and for a recipient that is not exactly one address, read as it is written:
    of an encoded word in it Python makes another address (RFC 2047 wants none there), and writes to that.
    """
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, mail.recipient, mail.subject
    if [one.addr_spec for one in message["To"].addresses if one.username and one.domain] != [mail.recipient]:
        msg = "a mail goes to one address"
        raise ValueError(msg)
    message["Message-ID"] = f"<{mail.id}@{sender.rpartition('@')[2].strip('<> ') or 'localhost'}>"
    message.set_content(mail.text)
    if mail.html:
        message.add_alternative(mail.html, subtype="html")
    return message


def _sealed(ctx: Context, mail: Mail) -> Mail:
    seal, context = ctx.runtime.vault.seal, str(mail.id)
    text = seal(mail.text, purpose="mail-text", context=context)
    html = seal(mail.html, purpose="mail-html", context=context) if mail.html is not None else None
    return replace(mail, text=text, html=html)


def _opened(ctx: Context, mail: Mail) -> Mail:
    opened, context = ctx.runtime.vault.open, str(mail.id)
    text = opened(mail.text, purpose="mail-text", context=context).decode()
    html = opened(mail.html, purpose="mail-html", context=context).decode() if mail.html is not None else None
    return replace(mail, text=text, html=html)
