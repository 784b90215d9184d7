"""The servers that `bench_door` and `bench_start` ask: bare FastAPI, and a product with an author's own routes.

`python -m bench.doors PORT` serves the bare one, with the settings `tenantry run` gives uvicorn.
"""

import sys

import uvicorn
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from tenantry import Google, Meter, Plan, Product
from tenantry.kernel import Anyone, Module, Read

PUBLIC, PERSONAL, LAST = "/v1/ping", "/v1/mine", "/v1/last/7/parts"


class Pong(BaseModel):
    """An answer worth the name, and no more."""

    status: str
    number: int


def bare() -> FastAPI:
    """FastAPI with one route and nothing looked up on the way."""
    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})

    @app.get(PUBLIC)
    async def ping() -> Pong:
        return Pong(status="ok", number=1)

    return app


def product(routes: int) -> Product:
    """A product whose author added this many routes; the asked ones come last."""
    requests = Meter("requests", per="day")
    return Product(
        "Bench",
        sign_in=[Google()],
        plans=[Plan("free", price=0, limits={requests: 1_000}, features=["Everything"])],
        modules=[_module(routes)],
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


def main(port: int) -> None:
    """Serve the bare one until the process is told to stop."""
    options = {"log_config": None, "access_log": False, "proxy_headers": False, "server_header": False, "ws": "none"}
    uvicorn.run(bare(), port=port, **options)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(int(sys.argv[1]))
