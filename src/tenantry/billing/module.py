"""What billing plugs in."""

from tenantry.holders.billed import PlanGranted
from tenantry.identity.events import UserAddressChanged, UserDeletion, UserProven, UserRoleChanged
from tenantry.kernel import Context, Module
from tenantry.kernel.module import Export, NavItem
from tenantry.kernel.permissions import member_may
from tenantry.organizations.events import OrganizationDeleted
from tenantry.web import mark

from .api import ROUTERS
from .checks import check_billing
from .claims import claim_of_proven
from .crediting import CREDITING
from .figures import billing_figures
from .holding import recompute
from .jobs import JOBS
from .leaving import STOP_CHARGING, STOP_SUBSCRIPTION, stop_charging, stop_charging_organization
from .notices import HANDLERS
from .pages import router as pages_router
from .panel import BILLING_PANEL
from .permissions import BILLING_READ, BILLING_WRITE
from .queries import customers, owners, reading
from .rows import Payment
from .webhooks import router as webhooks_router
from .worker import work

EXPORT_MAX = 10_000


async def _keep_paid(ctx: Context, event: PlanGranted) -> None:
    # Setting the plan has locked the holder in this unit.
    await recompute(ctx, event.holder_id)


async def _keep_role(ctx: Context, event: UserRoleChanged) -> None:
    # Who is no operator any more is what they have paid for.
    holder = await owners.lock_of_user(ctx.db, event.user_id) if event.role == "USER" else None
    if holder is not None:
        await recompute(ctx, holder)


async def _subscriptions(ctx: Context) -> list[reading.Held]:
    if not member_may(ctx, BILLING_READ):
        return []
    return await reading.page(ctx.db, ctx.holder.id, before=None, limit=EXPORT_MAX)


async def _payments(ctx: Context) -> list[Payment]:
    if not member_may(ctx, BILLING_READ):
        return []
    return await reading.payments(ctx.db, ctx.holder.id, limit=EXPORT_MAX)


async def _customers(ctx: Context) -> list[customers.Customer]:
    return await customers.all_of_holder(ctx.db, ctx.holder.id) if member_may(ctx, BILLING_READ) else []


MODULE = Module(
    "billing",
    routers=[*ROUTERS, webhooks_router],
    pages=[pages_router],
    panels=[BILLING_PANEL],
    permissions=[BILLING_READ, BILLING_WRITE],
    nav=[NavItem(mark("Billing"), "/billing", order=40, icon="card")],
    jobs=[*JOBS, STOP_CHARGING, STOP_SUBSCRIPTION],
    checks=[check_billing],
    loops=[work],
    handlers={
        UserProven: claim_of_proven,
        UserAddressChanged: claim_of_proven,
        PlanGranted: _keep_paid,
        UserRoleChanged: _keep_role,
        UserDeletion: stop_charging,
        OrganizationDeleted: stop_charging_organization,
        **HANDLERS,
        **CREDITING,
    },
    figures=[billing_figures],
    exports=[
        Export("subscriptions", _subscriptions),
        Export("payments", _payments),
        Export("customers", _customers),
    ],
    public={
        "GET /v1/products": "what is for sale is on the pricing page too",
        "POST /webhooks/{provider}": "a payment provider has no account; the signature is the proof",
    },
    service={
        "customers": "reads of an organization's owner, and reserves who a provider shall know; the API login may not",
        "changing": "writes what the provider did at its holder's word, which the API login may not",
        "inbox": "stores what providers tell, which is nobody's",
        "worker": "writes subscriptions and payments of everybody, which the API login may only read",
        "reading": "the same, of what was read",
        "sync": "the same, of what was listed",
        "leaving": "writes what the provider did about an account that was closed, or an organization that was deleted",
        "claims": "links purchases that are nobody's to holders",
        "operating": "an operator looks at everybody's events and purchases",
        "revenue": "an operator looks at what everybody pays",
        "jobs": "settles everybody's plans by the clock",
    },
)
