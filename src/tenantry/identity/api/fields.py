"""Fields that several bodies share."""

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from ..providers.profiles import EMAIL_CHARACTERS_MAX, clean_email


def _address(text: str) -> str:
    found = clean_email(text)
    if found is None:
        raise ValueError("Use an e-mail address, for example ada@example.com.")
    return found


EmailAddress = Annotated[
    str,
    AfterValidator(_address),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": EMAIL_CHARACTERS_MAX}),
]
"""An address in the form we store; what cannot be one is refused with the field's name (422)."""
