"""Buying a plan, and going to the provider's own page about it."""

import asyncio
from contextlib import suppress
from hashlib import sha256

import msgspec

from tenantry.kernel import Context
from tenantry.kernel.audit import audit
from tenantry.kernel.permissions import require_of_member
from tenantry.product import Plan

from ..errors import CustomerUnknown, OrganizationNeeded, ProviderAway, ProviderUnconfigured, SubscribedAlready
from ..holding import billing_of
from ..links import web_link
from ..models import LIVE
from ..overview import Overview, overview
from ..permissions import BILLING_WRITE
from ..providers import BillingProvider, BillingProviders, CheckoutPage, PortalPage
from ..queries import customers as customer_queries
from ..queries import reading
from ..queries.customers import Buyer
from ..queries.reading import Account, SoldPrice
from ..sale import chosen, chosen_price, plan_by, refuse_unsold
from ..snapshots import ExternalId
from ..sync import sync_products
from .customers import PAUSE_SECONDS, WAIT_SECONDS, buyer_of, customer_of


class _Wish(msgspec.Struct, frozen=True):
    """What is bought: a price, the plan that it buys, and the provider's code for less."""

    price: SoldPrice
    plan: str | None
    coupon: str | None
    is_by_price: bool = False


async def checkout(
    ctx: Context, plan: str, *, interval: str | None = None, lookup: str | None = None, coupon: str | None = None
) -> str:
    """The address of the provider's page where the plan is paid for; `ctx` has no open unit.

    `interval` and `lookup` choose among the plan's prices; without them it is its first. `coupon`: the provider's own
    code. Raises `RoleRefused`, `OrganizationNeeded`, `PlanNotForSale`, `SubscribedAlready`, `EmailUnproven`,
    `ProviderUnconfigured`, `ProviderAway`.
    """
    _refuse_others(ctx)
    provider = ctx.port(BillingProviders).primary
    await refuse_unsold(ctx, provider, plan)
    buyer = await buyer_of(ctx)
    seen = await overview(ctx.reading())
    _refuse_second(ctx, seen)
    prices = await prices_of(ctx, provider)
    price = chosen(ctx.product, prices, plan, interval=interval, lookup=lookup)
    return await _open(ctx, provider, buyer, seen, _Wish(price, plan, coupon))


async def checkout_price(ctx: Context, price: str, *, coupon: str | None = None) -> str:
    """The same for a price by its id, ours or the provider's: of a plan, of another product, by the period or once.

    Raises as `checkout`, and `PriceNotForSale`. What is paid once may be bought beside anything, and again.
    """
    _refuse_others(ctx)
    provider = ctx.port(BillingProviders).primary
    buyer = await buyer_of(ctx)
    found = chosen_price(ctx.product, await prices_of(ctx, provider), price)
    seen = await overview(ctx.reading())
    if found.interval is not None:
        _refuse_second(ctx, seen)
    plan = plan_by(ctx.product, found) if found.interval is not None else None
    return await _open(ctx, provider, buyer, seen, _Wish(found, plan, coupon, is_by_price=True))


async def portal(ctx: Context) -> str:
    """The address of the provider's page about cards, invoices and the subscription; `ctx` has no open unit.

    Raises `RoleRefused`, `CustomerUnknown` before anything was bought, `ProviderUnconfigured`, `ProviderAway`.
    """
    require_of_member(ctx, BILLING_WRITE)
    providers = ctx.port(BillingProviders)
    name, customer = await _customer(ctx)
    provider = providers.get(name)
    if provider is None:
        raise ProviderUnconfigured
    back = f"{ctx.settings.public_url}/billing"
    return _checked(ctx, provider, await provider.page(PortalPage(customer=customer, return_url=back)))


def trial_days(plan: Plan, account: Account) -> int:
    """How long a plan is free for this holder: once a holder, whichever plan it was, and however that trial ended."""
    had_one = any(one.subscription.trial_ends_at is not None for one in account.held)
    return 0 if had_one else plan.trial.days


async def prices_of(ctx: Context, provider: BillingProvider) -> list[SoldPrice]:
    """What a provider sells. Before anything of it was ever listed, the provider is asked, by one of all who wait."""
    with suppress(TimeoutError):
        async with asyncio.timeout(WAIT_SECONDS):
            while not (prices := await reading.on_sale(ctx.reading().db, provider.name)):
                known = await reading.knows_products(ctx.reading().db, provider.name)
                if known or await sync_products(ctx, provider):
                    break
                await asyncio.sleep(PAUSE_SECONDS)
    return prices or await reading.on_sale(ctx.reading().db, provider.name)


async def _open(ctx: Context, provider: BillingProvider, buyer: Buyer, seen: Overview, wish: _Wish) -> str:
    # The same again is another wish as soon as the first one is paid.
    is_once = wish.price.interval is None
    newest = await reading.payments(ctx.reading().db, ctx.holder.id, limit=1) if is_once else []
    done = f"?price={wish.price.id}" if wish.is_by_price else ""
    done += "".join(f"&after={one.id}" for one in newest)
    page = CheckoutPage(
        holder_id=ctx.holder.id,
        customer=await customer_of(ctx, provider, buyer),
        price=wish.price.external_id,
        trial_days=trial_days(ctx.product.plan(wish.plan), seen.account) if wish.plan is not None else 0,
        coupon=wish.coupon,
        success_url=f"{ctx.settings.public_url}/billing/success{done}",
        cancel_url=f"{ctx.settings.public_url}/billing",
        key="",
    )
    key = _key_of(page, seen.account)
    url = _checked(ctx, provider, await provider.page(msgspec.structs.replace(page, key=key)))
    async with ctx.unit() as working:
        detail = {"provider": provider.name, "plan": wish.plan, "price": wish.price.external_id}
        await audit(working, "billing.checkout_opened", subject=("holder", ctx.holder.id), detail=detail)
    return url


def _refuse_others(ctx: Context) -> None:
    require_of_member(ctx, BILLING_WRITE)
    if ctx.product.billed == "organization" and ctx.holder.kind != "organization":
        # What they bought for themselves would be out of sight as soon as they work for one.
        raise OrganizationNeeded


def _refuse_second(ctx: Context, seen: Overview) -> None:
    if billing_of(ctx).several:
        return
    live = next((one.subscription for one in seen.account.held if one.subscription.status in LIVE), None)
    if live is not None:
        raise SubscribedAlready(subscription_id=str(live.id), plan=live.plan)


def _key_of(page: CheckoutPage, account: Account) -> str:
    """The same for the same wish within an hour, until something was bought: a second click opens the same page."""
    wish = [msgspec.to_builtins(page), len(account.held), account.at.strftime("%Y-%m-%dT%H")]
    return f"checkout-{sha256(msgspec.json.encode(wish)).hexdigest()}"


async def _customer(ctx: Context) -> tuple[str, ExternalId]:
    seen = await overview(ctx.reading())
    known = await customer_queries.all_of_holder(ctx.reading().db, ctx.holder.id)
    made = [(one.provider, one.external_id) for one in known if one.external_id is not None]
    shown = seen.shown.subscription if seen.shown else None
    if shown is not None and shown.customer is not None:
        return shown.provider, shown.customer
    if not made:
        raise CustomerUnknown
    return made[-1]


def _checked(ctx: Context, provider: BillingProvider, url: str) -> str:
    """An address that a browser may be sent to; a provider that gives another one is not itself."""
    found = web_link(url, plain=not ctx.settings.is_production)
    if found is None:
        raise ProviderAway(internal=f"{provider.name} gave an address of no page")
    return found
