"""What an organization may be called. Its name stands in mails that its members have us send to strangers."""

import re

from tenantry.web import mark

from .models import NAME_CHARACTERS_MAX

MASK = "***"
_TEAM = "'s team"
# What mail programs make a link of: a scheme, www., an address of a mailbox, and words joined by dots.
_ADDRESS = re.compile(r"://|\bwww\.|@|\w\.\w{2,}", re.IGNORECASE)


def organization_name(text: str) -> str:
    """A name that somebody typed, without blanks around it: 1 to 100 characters, on one line, and no web address in it.

    ValueError for any other; its message is a sentence for people, which the catalogues translate.
    """
    name = text.strip()
    if not name:
        raise ValueError(mark("Use at least one character."))
    if not name.isprintable():
        raise ValueError(mark("Use letters, digits and signs that can be seen, on one line."))
    if len(name) > NAME_CHARACTERS_MAX:
        raise ValueError(mark("Use at most 100 characters."))
    if holds_address(name):
        raise ValueError(mark("Leave web and e-mail addresses out of the name."))
    return name


def holds_address(text: str) -> bool:
    """Whether a mail program might make a link of a part of it: then it is shown to nobody who did not ask for it."""
    return _ADDRESS.search(text) is not None


def name_of_own(name: str | None, email: str) -> str:
    """What somebody's own organization is called at first: "Ada's team"."""
    person = name if name and not holds_address(name) else email.partition("@")[0].replace(".", " ")
    seen = "".join(letter for letter in person if letter.isprintable()).strip()
    team = f"{seen[: NAME_CHARACTERS_MAX - len(_TEAM)].strip()}{_TEAM}"
    return "My team" if not seen or holds_address(team) else team


def masked(email: str) -> str:
    """An address as somebody is told it who may not know it: `a***@example.com`."""
    mailbox, _, domain = email.rpartition("@")
    return f"{mailbox[:1]}{MASK}@{domain}"
