"""A FastAPI application of one's own, with a product in it: sign-in, plans, quotas, and routes that know of them.

tenantry db migrate fastapi_app.py
uvicorn --no-proxy-headers fastapi_app:app

Register at http://127.0.0.1:8000/signup and read the mail at /mailbox. Then /report says who asks and what is left; the
third call within a few seconds is too fast, and the sixth of a day too many.
"""

from typing import Annotated, Any

from fastapi import FastAPI, Query, Response

import tenantry
from tenantry import Burst, Meter, Password, Plan, Product
from tenantry.fastapi import CurrentUser, Metered
from tenantry.kernel import SignedIn
from tenantry.usage import Decision, consume, limit_headers
from tenantry.usage import Metered as MeteredApp

requests = Meter("requests", per="day")
product = Product(
    "Tiles",
    sign_in=[Password()],
    plans=[
        Plan("free", price=0, limits={requests: 5}, burst=Burst(2, seconds=10)),
        Plan("pro", price=1900, limits={requests: 10_000}, burst=Burst(100, seconds=1)),
    ],
)

# /docs and /openapi.json are the product's; these routes are described elsewhere.
app = FastAPI(title="Tiles", docs_url="/our-docs", redoc_url=None, openapi_url="/our-openapi.json")


@app.get("/hello")
async def hello() -> dict[str, str]:
    """For everybody, and free."""
    return {"hello": "world"}


@app.get("/report")
async def report(user: CurrentUser, decision: Annotated[Decision, Metered(requests)]) -> dict[str, Any]:
    """Costs one request of whoever asks."""
    return {"for": user.email, "plan": user.plan, "left": decision.remaining}


@app.post("/render")
async def render(ctx: SignedIn, response: Response, tiles: Annotated[int, Query(ge=1, le=100)]) -> dict[str, int]:
    """Costs as many requests as it draws tiles: counted by hand, once it is known that the number is one."""
    decision = await consume(ctx, requests, tiles)
    response.headers.update(limit_headers(decision, ctx.clock.now()))
    return {"drawn": tiles}


async def tile(_scope: Any, _receive: Any, send: Any) -> None:
    """Any ASGI application, from anywhere; this one knows nothing of people and quotas."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"tile"})


app.mount("/tiles", MeteredApp(tile, requests))
tenantry.mount(app, tenantry.create_app(product))
