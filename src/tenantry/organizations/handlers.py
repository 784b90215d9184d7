"""What happens to organizations when something happens to a person, in that same transaction."""

from tenantry.identity.events import UserDeletion, UserProven, UserRegistered
from tenantry.kernel import Context
from tenantry.kernel.audit import audit

from . import queries
from .errors import OwnsOrganizations
from .events import OwnOrganizationOpened
from .making import end, make
from .names import name_of_own
from .standing import is_billed

CLOSED = "the account of its only member was closed"


async def open_own(ctx: Context, event: UserRegistered) -> None:
    """Where organizations are billed everybody begins in one: their own, unless an invitation waits for them."""
    if not is_billed(ctx):
        return
    person = await queries.organizations.person(ctx.db, event.user_id)
    if person is None or await queries.invitations.waits_for(ctx.db, person.email):
        return
    made = await make(ctx, name_of_own(person.name, person.email), owner=person.id)
    await ctx.emit(OwnOrganizationOpened(made.id, person.id))


async def take_back_sent(ctx: Context, event: UserProven) -> None:
    """Nobody joins on the word of who sat on a row before somebody else proved its address."""
    if not event.was_here and (sent := await queries.invitations.revoke_sent(ctx.db, event.user_id)):
        await audit(ctx, "invitations.taken_back", subject=("user", event.user_id), detail={"invitations": sent})


async def leave_all(ctx: Context, event: UserDeletion) -> None:
    """Whoever closes their account belongs to nothing any more; an organization of theirs alone goes with it.

    Raises `OwnsOrganizations` (409, with their names) while others belong to what they own: the account stays open.
    """
    await queries.organizations.lock_all(ctx.db, event.user_id)
    # Behind the locks: whom they waited for may have handed one over. Nothing is joined meanwhile, for whoever joins
    # waits for the person, whose row this transaction has written.
    owned = await queries.organizations.owned(ctx.db, event.user_id)
    shared = [one for one in owned if await queries.members.others(ctx.db, one.id, event.user_id)]
    if shared:
        raise OwnsOrganizations(organizations=[{"id": str(one.id), "name": one.name} for one in shared])
    for one in owned:
        await end(ctx, one, reason=CLOSED)
    for organization_id in await queries.members.remove_all(ctx.db, event.user_id):
        detail = {"user_id": str(event.user_id), "reason": "the account was closed"}
        await audit(ctx, "organization.left", subject=("organization", organization_id), detail=detail)
