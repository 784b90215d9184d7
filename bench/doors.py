"""The product that `bench_door` and `bench_start` ask: one with an author's own routes."""

from fastapi import APIRouter

from bench.bare import PUBLIC, Pong
from tenantry import Google, Meter, Organizations, Plan, Product
from tenantry.kernel import Anyone, Module, Read

PERSONAL, LAST = "/v1/mine", "/v1/last/7/parts"


def product(routes: int, *, organizations: bool = False) -> Product:
    """A product whose author added this many routes; the asked ones come last. `organizations`: they are billed."""
    requests = Meter("requests", per="day")
    return Product(
        "Bench",
        sign_in=[Google()],
        plans=[Plan("free", price=0, limits={requests: 1_000}, features=["Everything"])],
        modules=[_module(routes)],
        billed="organization" if organizations else "user",
        organizations=Organizations() if organizations else None,
    )


def _module(routes: int) -> Module:
    router = APIRouter()

    async def thing(thing_id: str) -> Pong:
        return Pong(status=thing_id, number=1)

    for n in range(routes - 3):
        router.add_api_route(f"/v1/things{n // 5}/{{thing_id}}/part{n % 5}", thing)

    @router.get(PUBLIC)
    async def ping(ctx: Anyone) -> Pong:
        return Pong(status="ok", number=1)

    @router.get(PERSONAL)
    async def mine(ctx: Read) -> Pong:
        return Pong(status="ok", number=1)

    @router.get("/v1/last/{part_id}/parts")
    async def last(part_id: int, ctx: Anyone) -> Pong:
        return Pong(status="ok", number=part_id)

    return Module("bench", routers=[router])
