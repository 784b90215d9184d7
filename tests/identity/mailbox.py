"""Reading what people were sent: `(await mailbox(kit, address))[-1]`, then `link_in(mail)`, `code_in(mail)`."""

import re

from sqlalchemy import select

from tenantry.kernel.database import param, statement
from tenantry.kernel.mail import Mail, mail_of
from tenantry.kernel.mail.models import Mails
from tenantry.kernel.sql import folded
from tenantry.testing import AppKit

_LINK = re.compile(r"https?://[^\s\"<>]+/auth/verify\?token=[0-9A-Za-z_]+")
_CODE = re.compile(r"(?<=\s)\d{6}(?=\s)")


_to = statement(
    select(Mails.id).where(folded(Mails.recipient) == folded(param("address"))).order_by(Mails.id),
)


async def mailbox(kit: AppKit, address: str) -> list[Mail]:
    """Every mail to an address, oldest first, after the jobs that are due have run: recipient, subject, text, html."""
    await kit.run_jobs()
    async with kit.system.service(writes=False) as ctx:
        found = [await mail_of(ctx, mail) for mail in await ctx.db.rows(_to, address=address)]
    return [mail for mail in found if mail is not None]


def link_in(mail: Mail) -> str:
    """The address of `/auth/verify` in a mail, as a whole. There must be exactly one."""
    found = set(_LINK.findall(mail.text))
    assert len(found) == 1, mail.text
    link: str = found.pop()
    return link


def token_in(mail: Mail) -> str:
    """The token in a mail's link."""
    return link_in(mail).partition("token=")[2]


def code_in(mail: Mail) -> str:
    """The six digits in a mail."""
    found = _CODE.findall(mail.text)
    assert len(found) == 1, mail.text
    code: str = found[0]
    return code
