"""What `test_killed.py` serves as a process of its own."""

from fastapi import APIRouter

from tenantry import UNLIMITED, Count, Google, Keys, Meter, Module, Plan, Product
from tenantry.fastapi import Metered

calls, keys = Meter("calls", per="day"), Count("keys")
router = APIRouter(prefix="/v1/things", tags=["things"])


@router.get("/{thing}", dependencies=[Metered(calls)])
async def thing(thing: str) -> str:
    """Answer what was asked."""
    return thing


product = Product(
    "Acme",
    sign_in=[Google()],
    plans=[Plan("free", price=0, limits={calls: UNLIMITED, keys: 2})],
    keys=Keys("acme", meter=calls, count=keys),
    modules=[Module("things", routers=[router])],
)
