"""`/v1/products`: what is for sale, for whoever asks."""

from typing import Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from tenantry.kernel import Open

from ..queries.reading import SoldPrice
from ..sale import Good, by_product, offered
from ..snapshots import Interval, ProviderName

router = APIRouter(tags=["billing"])


class PriceEntry(BaseModel):
    """A price. `amount` in minor units; null, where it is named by tiers. Without an `interval` it is paid once."""

    id: UUID
    lookup: str | None
    amount: int | None
    currency: str
    interval: Interval | None
    interval_count: int

    @classmethod
    def of(cls, price: SoldPrice) -> Self:
        """What a buyer is told of a price."""
        names = ("id", "lookup", "currency", "interval", "interval_count")
        return cls(**{name: getattr(price, name) for name in names}, amount=price.amount_minor)


class ProductEntry(BaseModel):
    """Something that is for sale. `plan`: the declared plan that its prices buy; null, none of them."""

    id: UUID
    provider: ProviderName
    name: str
    description: str | None
    plan: str | None
    prices: list[PriceEntry]


class ProductList(BaseModel):
    """All that is for sale: plans in declared order, then everything else."""

    items: list[ProductEntry]


@router.get("/v1/products")
async def list_products(ctx: Open) -> ProductList:
    """List what can be bought now. `POST /v1/checkout` takes the id of a price."""
    if ctx.product.billing is None:
        return ProductList(items=[])
    by_plan, goods = await offered(ctx.reading())
    found = [_entry(one, plan) for plan in ctx.product.order for one in by_product(by_plan.get(plan, []))]
    return ProductList(items=[*found, *(_entry(one, None) for one in goods)])


def _entry(good: Good, plan: str | None) -> ProductEntry:
    return ProductEntry(
        id=good.id,
        provider=good.prices[0].provider,
        name=good.name,
        description=good.description,
        plan=plan,
        prices=[PriceEntry.of(one) for one in good.prices],
    )
