"""What a provider told, made fit to be stored. None of it is believed to be short, printable or of the right type."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email

from ..errors import ProviderAnswerInvalid
from ..names import clean_name
from .base import ExternalProfile, Granted

EMAIL_CHARACTERS_MAX = 255
SUBJECT_CHARACTERS_MAX = 255
IMAGE_CHARACTERS_MAX = 2000
TOKEN_CHARACTERS_MAX = 16 * 1024
"""Providers that put a person's groups into a token need some; nobody needs more."""
WORDS_CHARACTERS_MAX = 2000
LIFETIME_MAX = timedelta(days=3650)


def external_profile(
    issuer: str, claims: Mapping[str, Any], *, protocol: Literal["oauth", "oidc"] = "oidc"
) -> ExternalProfile:
    """A clean profile from claims as OpenID Connect names them: sub, email, email_verified, name, picture.

    A subject that is no text of 1 to 255 printable characters raises ProviderAnswerInvalid. Other values that cannot
    be used are left out: they are a convenience, the subject is an identity.
    """
    subject, email_verified = claims.get("sub"), claims.get("email_verified")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARACTERS_MAX or not subject.isprintable():
        raise ProviderAnswerInvalid(internal="the subject is not a printable text of 1 to 255 characters")
    address = clean_email(claims.get("email"))
    return ExternalProfile(
        issuer=issuer,
        subject=subject,
        email=address,
        # Some providers send the word instead of the value (OpenID Connect Core 5.1 says boolean).
        email_verified=address is not None and (email_verified is True or email_verified == "true"),
        name=clean_name(claims.get("name")),
        image=_image(claims.get("picture")),
        type=protocol,
    )


def granted_tokens(answer: Mapping[str, Any], now: datetime) -> Granted:
    """What a token endpoint's answer leaves to keep: short enough texts, and when the access token ends.

    No `expires_in`, or one that is no sensible number of seconds, means that nobody knows.
    """
    return Granted(
        access_token=_words(answer.get("access_token"), TOKEN_CHARACTERS_MAX),
        refresh_token=_words(answer.get("refresh_token"), TOKEN_CHARACTERS_MAX),
        expires_at=_ends(answer.get("expires_in"), now),
        id_token=_words(answer.get("id_token"), TOKEN_CHARACTERS_MAX),
        scope=_words(answer.get("scope"), WORDS_CHARACTERS_MAX),
        token_type=_words(answer.get("token_type"), 100),
        session_state=_words(answer.get("session_state"), WORDS_CHARACTERS_MAX),
    )


def clean_email(email: Any) -> str | None:
    """A valid address in the form we store, None for anything else.

    All letters become small here, for the databases do not agree which are: SQLite knows A to Z, PostgreSQL what its
    locale says. Refused is a mailbox that Unicode would normalise, or in which a letter would become one of A to Z: the
    Kelvin sign U+212A a "k", U+0130 an "i", and with it somebody else's address. So is one that a mail program may read
    as an encoded word (RFC 2047): `=?utf-8?q?ada?=@example.com` is Ada's mailbox to many.
    """
    if not isinstance(email, str) or len(email) > EMAIL_CHARACTERS_MAX:
        return None
    try:
        valid = validate_email(email, check_deliverability=False)
    except EmailNotValidError:
        return None
    mailbox, address = valid.local_part, valid.normalized.lower()
    if mailbox != email.rpartition("@")[0] or "=?" in mailbox or _becomes_plain(mailbox):
        return None
    return address if len(address) <= EMAIL_CHARACTERS_MAX else None


def _becomes_plain(text: str) -> bool:
    return any(not letter.isascii() and any(map(str.isascii, letter.lower())) for letter in text)


def _image(image: object) -> str | None:
    if not isinstance(image, str) or len(image) > IMAGE_CHARACTERS_MAX or not image.isprintable() or " " in image:
        return None
    try:
        parts = urlsplit(image)
    except ValueError:
        return None
    return image if parts.scheme == "https" and parts.hostname else None


def _words(text: object, longest: int) -> str | None:
    return text if isinstance(text, str) and 0 < len(text) <= longest and text.isprintable() else None


def _ends(seconds: object, now: datetime) -> datetime | None:
    # A number, by some written as a text (RFC 6749, 5.1 says a number).
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit() and len(seconds) < 10:
        seconds = int(seconds)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    return now + timedelta(seconds=seconds) if 0 < seconds <= LIFETIME_MAX.total_seconds() else None
