"""What the stand-in payment provider keeps: its catalogue, its customers and what they bought, and what it told."""

import contextlib
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["product", "price", "customer", "subscription", "payment"]
Interval: TypeAlias = Literal["day", "week", "month", "year"]
ENDED = frozenset({"canceled", "expired"})


class Product(msgspec.Struct, kw_only=True):
    """What is sold. `details` is its metadata."""

    id: str
    name: str
    description: str | None = None
    is_active: bool = True
    details: dict[str, str] = {}


class Price(msgspec.Struct, kw_only=True):
    """What it costs, in minor units. Without an `interval` it is paid once."""

    id: str
    product: str
    lookup: str | None = None
    amount: int
    currency: str = "USD"
    interval: Interval | None = None
    interval_count: int = 1
    is_active: bool = True
    details: dict[str, str] = {}


class Customer(msgspec.Struct, kw_only=True):
    """Who pays."""

    id: str
    holder_id: str | None
    email: str | None
    name: str | None = None
    is_deleted: bool = False
    created_at: datetime


class Subscription(msgspec.Struct, kw_only=True):
    """A subscription.

    `anchor`: when its first period began; the others are counted from there, so that the 31st comes back. `balance`:
    what the next payment is dearer (or cheaper, below 0). `failures`: how many of its next payments fail.
    """

    id: str
    customer: str
    price: str
    status: str
    quantity: int = 1
    period_start: datetime
    period_end: datetime
    trial_ends_at: datetime | None = None
    cancel_at: datetime | None = None
    ended_at: datetime | None = None
    resumes_at: datetime | None = None
    past_due_since: datetime | None = None
    holder_id: str | None = None
    email: str | None = None
    created_at: datetime
    anchor: datetime
    balance: int = 0
    coupon: str | None = None
    failures: int = 0
    retries: int = 0
    retry_at: datetime | None = None


class Payment(msgspec.Struct, kw_only=True):
    """A payment, and how much of it was given back."""

    id: str
    number: str
    customer: str
    subscription: str | None
    price: str
    status: str
    reason: str
    amount: int
    refunded: int = 0
    currency: str
    receipt_url: str | None = None
    paid_at: datetime | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    holder_id: str | None = None
    email: str | None = None
    created_at: datetime


class Checkout(msgspec.Struct, kw_only=True):
    """A page to pay on. `subscription` or `payment`: what came of it."""

    id: str
    holder_id: str | None
    customer: str
    price: str
    quantity: int = 1
    trial_days: int = 0
    coupon: str | None = None
    success_url: str
    cancel_url: str
    expires_at: datetime
    subscription: str | None = None
    payment: str | None = None


class Portal(msgspec.Struct, kw_only=True):
    """A page to see to a subscription on."""

    id: str
    customer: str
    return_url: str
    expires_at: datetime


class Told(msgspec.Struct, kw_only=True):
    """An event: what happened, and how far its telling came. `body` is what is sent, as it was when it happened."""

    id: str
    event: str
    kind: Kind | None
    object_id: str | None
    occurred_at: datetime
    body: str
    status: Literal["pending", "delivered", "lost", "failed"] = "pending"
    attempts: int = 0


Item: TypeAlias = Product | Price | Customer | Subscription | Payment


class Books(msgspec.Struct, kw_only=True):
    """All of it; each by its id, in the order in which it was made. `keys`: what a wish was answered with."""

    products: dict[str, Product] = {}
    prices: dict[str, Price] = {}
    customers: dict[str, Customer] = {}
    subscriptions: dict[str, Subscription] = {}
    payments: dict[str, Payment] = {}
    checkouts: dict[str, Checkout] = {}
    portals: dict[str, Portal] = {}
    events: dict[str, Told] = {}
    keys: dict[str, str] = {}
    port: int = 0

    def of(self, kind: Kind) -> dict[str, Item]:
        """Everything of a kind."""
        found: dict[str, Item] = getattr(self, f"{kind}s")
        return found


def read_books(file: Path | None) -> Books:
    """What was kept in the file; new books without a file, and in place of one that cannot be read."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        if file is not None:
            return msgspec.json.decode(file.read_bytes(), type=Books)
    return Books()


def keep_books(books: Books, file: Path) -> None:
    """Write them; whoever reads the file meanwhile reads the old ones. Where nothing can be written they end sooner."""
    fresh = file.with_name(f"{file.name}.new")
    with contextlib.suppress(OSError):
        fresh.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(msgspec.json.encode(books))
        fresh.replace(file)
