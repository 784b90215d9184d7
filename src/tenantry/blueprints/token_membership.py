"""Marks drawn from words, paid with tokens: people in organizations, memberships and tokens as the provider sells them.

What can be bought, at what price, which role and how many tokens it brings is said at the payment provider, in the
metadata of its products and prices (`role`, `tokens`, `plan`); nothing of it stands here.
"""

from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from tenantry import (
    UNLIMITED,
    Billing,
    Count,
    Credits,
    GitHub,
    Google,
    Keys,
    MagicLink,
    Module,
    Organizations,
    Plan,
    Product,
    StatusWords,
    Stripe,
)
from tenantry.fastapi import Costs
from tenantry.usage.credits import Spent

seats, keys = Count("seats"), Count("keys")
router = APIRouter(prefix="/api/v1", tags=["marks"])
TOKENS = 5
"""What a mark costs."""
_CELLS, _HALF = 5, 3


class Words(BaseModel):
    """What a mark is drawn from; the same words make the same mark. `size`: its edge in pixels."""

    words: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    size: int = Field(200, ge=16, le=2000)


class Mark(BaseModel):
    """A mark as SVG, and how many tokens are left."""

    svg: str
    tokens: int


@router.post("/marks", status_code=201)
async def draw_mark(asked: Words, spent: Annotated[Spent, Costs(TOKENS, label="A mark")]) -> Mark:
    """Draw a mark. It costs five tokens."""
    return Mark(svg=svg_of(asked.words, asked.size), tokens=spent.balance)


def svg_of(words: str, size: int) -> str:
    """A pattern of five by five cells that is the same from left and right, in one of 360 colours."""
    seed = sha256(words.casefold().encode()).digest()
    bits = int.from_bytes(seed[:2], "big")
    halves = [[bits >> (row * _HALF + column) & 1 for column in range(_HALF)] for row in range(_CELLS)]
    cells = "".join(
        f"M{column} {row}h1v1h-1z"
        for row, half in enumerate(halves)
        for column, is_filled in enumerate([*half, *half[-2::-1]])
        if is_filled
    )
    hue = int.from_bytes(seed[2:4], "big") % 360
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" viewBox="-1 -1 7 7">'
        f'<path fill="hsl({hue} 60% 45%)" d="{cells}"/></svg>'
    )


product = Product(
    "Wordmark",
    tagline="A mark for everything that has a name.",
    description="Send words, get a mark drawn for them alone. Each costs five tokens.",
    sign_in=[Google(), GitHub(), MagicLink()],
    plans=[
        Plan("free", price=0, limits={seats: 3, keys: 2}, features=["Three people in an organization", "Two API keys"]),
        Plan(
            "premium",
            price=None,
            limits={seats: UNLIMITED, keys: 20},
            features=["Tokens with every period", "Any number of people in an organization", "Twenty API keys"],
        ),
    ],
    billing=Billing(
        providers=[Stripe()],
        several=True,
        offers="products",
        # The document's words: an end that is decided counts as CANCELED, what gives nothing as INACTIVE.
        words=StatusWords(
            trialing="ACTIVE",
            active="ACTIVE",
            scheduled="CANCELED",
            past_due="PAST_DUE",
            unpaid="INACTIVE",
            paused="INACTIVE",
            incomplete="INACTIVE",
            canceled="CANCELED",
            expired="CANCELED",
        ),
    ),
    credits=Credits("tokens", on_sign_up=10),
    organizations=Organizations(seats=seats),
    keys=Keys("wm", count=keys),
    modules=[Module("marks", routers=[router])],
)
