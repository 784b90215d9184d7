"""What a person may be called: one rule for what people type, and its milder sister for what providers tell."""

import re

from tenantry.web import mark

NAME_CHARACTERS_MAX = 255
PASSKEY_NAME_CHARACTERS_MAX = 100

_SPACES = re.compile(r"\s+")


def person_name(text: str) -> str:
    """A name that somebody typed, without blanks around it: 1 to 255 printable characters, on one line.

    ValueError for any other; its message is a sentence for people, which the catalogues translate.
    """
    name = _typed(text)
    if len(name) > NAME_CHARACTERS_MAX:
        raise ValueError(mark("Use at most 255 characters."))
    return name


def passkey_name(text: str) -> str:
    """What somebody calls a passkey of theirs: the same rule, with 100 characters at most."""
    name = _typed(text)
    if len(name) > PASSKEY_NAME_CHARACTERS_MAX:
        raise ValueError(mark("Use at most 100 characters."))
    return name


def clean_name(name: object) -> str | None:
    """Printable characters only, white space as single blanks, at most 255 characters; None when nothing is left."""
    if not isinstance(name, str):
        return None
    spaced = _SPACES.sub(" ", name[: 4 * NAME_CHARACTERS_MAX])
    printable = "".join(letter for letter in spaced if letter.isprintable())
    return printable.strip()[:NAME_CHARACTERS_MAX].strip() or None


def _typed(text: str) -> str:
    name = text.strip()
    if not name:
        raise ValueError(mark("Use at least one character."))
    if not name.isprintable():
        raise ValueError(mark("Use letters, digits and signs that can be seen, on one line."))
    return name
