"""What a provider told, made fit to be stored. None of it is believed to be short, printable or of the right type."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email

from ..errors import ProviderAnswerInvalid
from ..names import clean_name
from .base import ExternalProfile

EMAIL_CHARACTERS_MAX = 255
SUBJECT_CHARACTERS_MAX = 255
IMAGE_CHARACTERS_MAX = 2000

_UPPER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


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


def clean_email(email: Any) -> str | None:
    """A valid address in the form we store, None for anything else.

    Letters A to Z become small. Other letters are left alone, and a mailbox that Unicode would normalise is refused:
    the Kelvin sign U+212A would become a "k", and with it somebody else's address.
    """
    if not isinstance(email, str) or len(email) > EMAIL_CHARACTERS_MAX:
        return None
    try:
        valid = validate_email(email, check_deliverability=False)
    except EmailNotValidError:
        return None
    if valid.local_part != email.rpartition("@")[0] or len(valid.normalized) > EMAIL_CHARACTERS_MAX:
        return None
    return valid.normalized.translate(_UPPER)


def _image(image: object) -> str | None:
    if not isinstance(image, str) or len(image) > IMAGE_CHARACTERS_MAX or not image.isprintable() or " " in image:
        return None
    try:
        parts = urlsplit(image)
    except ValueError:
        return None
    return image if parts.scheme == "https" and parts.hostname else None
