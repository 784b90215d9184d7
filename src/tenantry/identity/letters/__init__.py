"""What identity writes to people: one file a subject, each mail a `Letter` that both parts are drawn from."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.mail import send_mail
from tenantry.web import Letter, Letters, Translator

from ..devices import device_of
from ..tokens import Issued


class Drawn(msgspec.Struct, frozen=True):
    """A letter as it goes out: both parts say the same."""

    subject: str
    text: str
    html: str


class Key(msgspec.Struct, frozen=True):
    """What a mail brings that proves something: the address of its link, and its code."""

    link: str
    code: str


async def send(ctx: Context, recipient: str, letter: Letter, words: Translator) -> None:
    """Write a mail in the reader's language into the open unit; it goes out once that commits."""
    await post(ctx, recipient, draw(ctx, letter, words))


def draw(ctx: Context, letter: Letter, words: Translator) -> Drawn:
    """Draw a letter before a unit is open: it takes longer than the writing."""
    text, html = ctx.port(Letters).render(letter, words)
    return Drawn(letter.subject, text, html)


async def post(ctx: Context, recipient: str, drawn: Drawn, *, wanted: bool = True) -> None:
    """Write a drawn mail into the open unit. Not `wanted`, nobody gets one, and that takes as long."""
    await send_mail(ctx, recipient, drawn.subject, text=drawn.text, html=drawn.html, wanted=wanted)


def told(ctx: Context, words: Translator, section: str, subject: str, *said: str) -> Letter:
    """What an owner is told once it has happened, with the way to a section of their settings."""
    return Letter(
        subject,
        said,
        action=(words("Look at your settings"), f"{ctx.settings.public_url}/settings#{section}"),
        closing=[words("Was it not you? Then sign out everywhere else there, and change how you sign in.")],
    )


def key_of(ctx: Context, issued: Issued) -> Key:
    """A token as its mail brings it."""
    return Key(mailed_link(ctx, issued.token), issued.code)


def mailed_link(ctx: Context, token: str) -> str:
    """Where a mailed token leads: the public address of the settings, never that of the request."""
    return f"{ctx.settings.public_url}/auth/verify?token={token}"


def origin_in_words(words: Translator, origin: Mapping[str, Any]) -> str:
    """Where something was asked for, as far as it is known: "Firefox on Linux, 203.0.113.7"."""
    browser, system = device_of(origin.get("user_agent"))
    device = words("%(browser)s on %(system)s", browser=browser, system=system) if browser and system else ""
    return ", ".join(
        one for one in (device or browser or system or words("Unknown browser"), origin.get("address")) if one
    )
