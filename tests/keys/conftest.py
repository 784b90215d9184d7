"""A product with keys, a route that programs call, and a person who has signed in."""

import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter

from tenantry import Burst, Count, Google, Keys, Meter, Module, Plan, Product, Scope
from tenantry.fastapi import Metered, Require
from tenantry.kernel.dependencies import Caller

# As in `from keys.asked import ...`.
sys.path.append(str(Path(__file__).parents[1]))

calls, keys = Meter("calls", per="day"), Count("keys")
router = APIRouter(prefix="/v1/work", tags=["work"])


@router.get("", dependencies=[Metered(calls)])
async def work(ctx: Caller) -> dict[str, str | None]:
    """What a program pays for."""
    return {"actor": ctx.actor.kind, "plan": ctx.holder.plan, "key_id": str(ctx.actor.key_id)}


@router.post("", dependencies=[Require("work:write"), Metered(calls)])
async def change_work() -> dict[str, bool]:
    """What needs a scope."""
    return {"done": True}


def keyed_product(**changes: Any) -> Product:
    """Two plans, keys that are counted, one scope."""
    values: dict[str, Any] = {
        "sign_in": [Google()],
        "plans": [
            Plan("free", price=0, limits={calls: 5, keys: 2}),
            Plan("pro", price=900, limits={calls: 50, keys: 10}, burst=Burst(20, 10)),
        ],
        "keys": Keys("acme", meter=calls, count=keys, scopes=[Scope("work:write", "Change work.")]),
        "modules": [Module("work", routers=[router])],
    }
    return Product("Acme", **{**values, **changes})


@pytest.fixture
async def kit(start):
    return await start(keyed_product())


@pytest.fixture
async def ada(kit):
    return await kit.sign_in("ada")


@pytest.fixture
async def program(kit):
    """A client without cookies."""
    return await kit.client()
