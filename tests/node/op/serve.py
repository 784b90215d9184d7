"""The real application with sign-in by OpenID Connect, on a SQLite file of its own, for the tests that need Node.

`python serve.py FOLDER PORT ISSUER CLIENT_ID CLIENT_SECRET`; `GET /v1/op/token` hands out the caller's provider token.
"""

import asyncio
import sys
from pathlib import Path

import uvicorn
from fastapi import APIRouter

from tenantry import MagicLink, Meter, Module, OpenIDConnect, Plan, Product
from tenantry.app import create_app
from tenantry.identity import provider_token
from tenantry.kernel import Settings, SignedIn
from tenantry.kernel.database.migrating import upgrade

requests = Meter("requests", per="day")
router = APIRouter()


@router.get("/v1/op/token")
async def read_token(ctx: SignedIn) -> dict[str, str]:
    """The signed-in user's access token at the provider."""
    return {"token": await provider_token(ctx, ctx.user_id, "oidc")}


def main(folder: str, port: str, *oidc: str) -> None:
    """Serve until the process is ended."""
    product = Product(
        "Acme",
        sign_in=[OpenIDConnect(offline=True), MagicLink()],
        plans=[Plan("free", price=0, limits={requests: 5}, features=["Five requests a day"])],
        modules=[Module("op", routers=[router])],
    )
    database = f"sqlite:///{Path(folder) / 'app.db'}"
    asyncio.run(upgrade(database))
    issuer, client_id, client_secret = oidc
    settings = Settings(
        database_url=database,
        port=int(port),
        public_url=f"http://127.0.0.1:{port}",
        secret_keys=("test-key-of-forty-characters-0123456789ab",),
        oidc_issuer=issuer,
        oidc_client_id=client_id,
        oidc_client_secret=client_secret,
    )
    uvicorn.run(create_app(product, settings), host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
