"""A product with trials, whose workspaces have keys, and a route that programs call."""

from datetime import timedelta
from typing import Any

from fastapi import APIRouter

from tenantry import Count, Gauge, Google, Keys, Meter, Module, Plan, Product, Scope, Trials
from tenantry.fastapi import Metered
from tenantry.kernel.dependencies import Caller

calls, keys, storage = Meter("calls", per="day"), Count("keys"), Gauge("storage")
router = APIRouter(prefix="/v1/work", tags=["work"])


@router.get("", dependencies=[Metered(calls)])
async def work(ctx: Caller) -> dict[str, str]:
    """What a program pays for."""
    return {"plan": ctx.holder.plan, "holder": str(ctx.holder.id)}


def trial_product(**changes: Any) -> Product:
    """Two free plans, two that cost something; trials of two weeks, of which three may be active."""
    values: dict[str, Any] = {
        "sign_in": [Google()],
        "session_lifetime": timedelta(days=60),
        "plans": [
            Plan("free", price=0, limits={calls: 5, keys: 3, storage: 10}),
            Plan("club", price=0, limits={calls: 8, keys: 4, storage: 20}),
            Plan("standard", price=900, limits={calls: 50, keys: 5, storage: 100}),
            Plan("enterprise", price=None, limits={calls: 500, keys: 50, storage: 1000}),
        ],
        "keys": Keys("acme", meter=calls, count=keys, scopes=[Scope("work:write", "Change work.")]),
        "trials": Trials("standard", enterprise_plan="enterprise", length=timedelta(days=14), most=3),
        "modules": [Module("work", routers=[router])],
    }
    return Product("Acme", **{**values, **changes})


product = trial_product()
