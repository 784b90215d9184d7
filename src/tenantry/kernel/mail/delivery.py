"""Sending mail: a row and a job in the caller's transaction, SMTP outside any."""

from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from ..context import Context
from ..database.units import refuse_while_open
from ..extras import extra
from ..ids import new_id
from ..jobs import enqueue
from ..module import Job
from ..settings import Settings
from . import queries
from .queries import Mail


async def send_mail(ctx: Context, recipient: str, subject: str, *, text: str, html: str | None = None) -> UUID:
    """Write a mail into the open unit of work; it goes out once that commits. Answers the mail's id.

    Raises ValueError for what `compose` refuses.
    """
    mail = Mail(new_id(), recipient, subject, text, html, "queued")
    compose(ctx.settings.mail_from, mail)
    await queries.add(ctx.db, mail, ctx.actor.user_id)
    await enqueue(ctx, DELIVER, {"mail": str(mail.id)})
    return mail.id


async def _deliver(ctx: Context, payload: dict[str, Any]) -> None:
    async with ctx.service(writes=False) as reading:
        mail = await queries.by_id(reading.db, UUID(payload["mail"]))
    if mail is None or mail.status != "queued":
        return
    if ctx.settings.smtp_url is None:
        status = "kept"
    else:
        await smtp_send(ctx.settings, mail)
        status = "sent"
    async with ctx.service() as working:
        await queries.settle(working.db, mail.id, status)


DELIVER = Job("mail.deliver", _deliver)


async def forget_sent(ctx: Context, _payload: dict[str, Any]) -> None:
    """Delete mails that went out longer ago than finished jobs are kept, a bounded batch per unit."""
    before = ctx.clock.now() - timedelta(days=ctx.settings.jobs_retention_days)
    deleted = 1
    while deleted:
        async with ctx.service() as working:
            deleted = await queries.forget(working.db, before=before)


async def smtp_send(settings: Settings, mail: Mail) -> None:
    """Hand one mail to the SMTP server of `TENANTRY_SMTP_URL` (`smtp://` with STARTTLS where offered, `smtps://`)."""
    refuse_while_open("sending mail")
    if settings.smtp_url is None:
        msg = "no SMTP server is configured"
        raise RuntimeError(msg)
    server = urlsplit(settings.smtp_url.get_secret_value())
    # Loaded by the first mail: a server that sends none does without it.
    await extra("aiosmtplib").send(
        compose(settings.mail_from, mail),
        hostname=server.hostname,
        port=server.port or (465 if server.scheme == "smtps" else 587),
        username=unquote(server.username) if server.username else None,
        password=unquote(server.password) if server.password else None,
        use_tls=server.scheme == "smtps",
        timeout=20,
    )


def compose(sender: str, mail: Mail) -> EmailMessage:
    """The message with a text and, where there is one, an HTML part.

    ValueError for a line break in a header, and for a recipient that is not exactly one address.
    """
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, mail.recipient, mail.subject
    if [bool(one.username and one.domain) for one in message["To"].addresses] != [True]:
        msg = "a mail goes to one address"
        raise ValueError(msg)
    message["Message-ID"] = f"<{mail.id}@{sender.rpartition('@')[2].strip('<> ') or 'localhost'}>"
    message.set_content(mail.text)
    if mail.html:
        message.add_alternative(mail.html, subtype="html")
    return message
