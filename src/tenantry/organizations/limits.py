"""How often people may be invited: we write to strangers because of it, and nobody's mailbox is to be filled.

Counted and committed before anything is written, once it is known that who asks may invite. Apart from the mails that
people ask for themselves: who invites somebody often does not keep them from signing in.
"""

from datetime import timedelta
from uuid import UUID

from tenantry.kernel import Context
from tenantry.kernel.attempts import attempt

DAY = timedelta(days=1)
OF_A_PERSON = 100
"""Invitations within a day, in whatever organizations of theirs."""
OF_AN_ORGANIZATION = 200
"""Invitations within a day, whoever of it sends them."""
TO_A_MAILBOX = 10
"""Invitations within a day, from all organizations together."""


async def count_invitation(ctx: Context, organization_id: UUID, email: str) -> None:
    """Count a mail that asks a clean address to join; `ctx` has no open unit. Raises `TooManyAttempts` (429).

    The address counts without its tag: ada+1@, ada+2@ and so on are mostly one mailbox.
    """
    await attempt(ctx, f"invitations by {ctx.user_id}", most=OF_A_PERSON, within=DAY)
    await attempt(ctx, f"invitations of {organization_id}", most=OF_AN_ORGANIZATION, within=DAY)
    mailbox, _, domain = email.casefold().rpartition("@")
    to = f"{mailbox.partition('+')[0] or mailbox}@{domain}"
    await attempt(ctx, f"invitations to {to}", most=TO_A_MAILBOX, within=DAY)
