"""What organizations write to people: to who is asked to join, and to both when an organization is handed over."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.mail import send_mail
from tenantry.web import Formats, Letter, Letters, Translator

from .names import holds_address
from .roles import Role
from .rows import Person


class Drawn(msgspec.Struct, frozen=True):
    """A letter as it goes out: both parts say the same."""

    subject: str
    text: str
    html: str


class Asked(msgspec.Struct, frozen=True):
    """What somebody is asked: to join what, as what, by whom, until when."""

    organization: str
    role: Role
    inviter: Person
    expires_at: datetime


def draw(ctx: Context, letter: Letter, words: Translator) -> Drawn:
    """Draw a letter before a unit is open: it takes longer than the writing."""
    text, html = ctx.port(Letters).render(letter, words)
    return Drawn(letter.subject, text, html)


async def post(ctx: Context, recipients: Sequence[str], drawn: Drawn) -> None:
    """Write a drawn mail to each into the open unit."""
    for recipient in recipients:
        await send_mail(ctx, recipient, drawn.subject, text=drawn.text, html=drawn.html)


def invitation_letter(ctx: Context, words: Translator, asked: Asked, *, token: str) -> Letter:
    """To who is invited, who may be a stranger. The link proves nothing by itself: it is for this address only."""
    values = {
        "organization": asked.organization,
        "product": ctx.product.name,
        "inviter": called(asked.inviter),
        "time": Formats(words).utc(asked.expires_at),
    }
    as_what = (
        words("You would be an admin there: you could invite and remove people, and change what it holds.")
        if asked.role == "admin"
        else words("You would be a member there.")
    )
    return Letter(
        words("Join %(organization)s on %(product)s", **values),
        [words("%(inviter)s asks you to join %(organization)s on %(product)s.", **values), as_what],
        action=(words("Look at the invitation"), f"{ctx.settings.public_url}/invitations?token={token}"),
        closing=[
            words("It is open until %(time)s, and for this address only.", **values),
            words("If you do not know who that is, leave this mail. Nothing happens."),
        ],
    )


def handed_over_letter(ctx: Context, words: Translator, organization: str, *, by: Person, to: Person) -> Letter:
    """To who was the owner and to who is it now."""
    values = {"organization": organization, "product": ctx.product.name, "by": called(by), "to": called(to)}
    return Letter(
        words("%(organization)s has another owner", **values),
        [
            words("%(by)s made %(to)s the owner of %(organization)s on %(product)s.", **values),
            words("The owner may do everything there, and is the only one who may hand it over or delete it."),
        ],
        action=(words("Look at the organization"), f"{ctx.settings.public_url}/team"),
        closing=[words("Was that not meant to happen? Then talk to each other, and write to us.")],
    )


def called(person: Person) -> str:
    """Somebody's name with their address; the address alone where the name could pass for a link."""
    if person.name and not holds_address(person.name):
        return f"{person.name} ({person.email})"
    return person.email
