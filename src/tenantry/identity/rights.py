"""The right of operators, and what each of their deeds needs: a reason."""

from tenantry.kernel.permissions import Permission

from .errors import ReasonMissing

ADMINISTER = Permission("admin", "Look after the product and the people in it.", roles=("operator",))
"""What an operator may: who has the role ADMIN."""

REASON_CHARACTERS_MAX = 500


def stated(reason: str) -> str:
    """The reason, without spaces around it. Raises `ReasonMissing` for an empty one, and for one that is too long."""
    found = reason.strip()
    if not 1 <= len(found) <= REASON_CHARACTERS_MAX:
        raise ReasonMissing
    return found
