"""A product whose ways in the test chooses. What tests share stands beside them: `from identity.mailbox import ...`."""

import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tenantry import GitHub, Google, Meter, OpenIDConnect, Plan, Product
from tenantry.testing import PUBLIC_URL, AppKit
from tenantry.testing.standins import (
    DEMO_CLIENT_ID,
    DEMO_CLIENT_SECRET,
    GITHUB_CLIENT_ID,
    GITHUB_CLIENT_SECRET,
    StandIn,
    start_github,
    start_identity,
)

sys.path.append(str(Path(__file__).parents[1]))

requests = Meter("requests", per="day")


@pytest.fixture
def product_of() -> Callable[..., Product]:
    """Makes a product: `product_of(sign_in=[...])`."""

    def made(**changes: Any) -> Product:
        values: dict[str, Any] = {
            "sign_in": [Google()],
            "plans": [Plan("free", price=0, limits={requests: 5}, features=["Five requests a day"])],
        }
        return Product("Acme", **{**values, **changes})

    return made


@pytest.fixture(scope="session")
def github_server(provider_clock: Any) -> Iterator[StandIn]:
    """GitHub's stand-in, with access tokens that end."""
    uris = [f"{PUBLIC_URL}/auth/github/callback"]
    with start_github(redirect_uris=uris, expiring=True, now=provider_clock.now) as server:
        yield server


@pytest.fixture(scope="session")
def corp_server(provider_clock: Any) -> Iterator[StandIn]:
    """A second OpenID Connect provider, with the same people under the same subjects."""
    with start_identity(redirect_uris=[f"{PUBLIC_URL}/auth/corp/callback"], now=provider_clock.now) as server:
        yield server


@pytest.fixture
def start_three(
    start: Callable[..., Awaitable[AppKit]],
    product_of: Callable[..., Product],
    github_server: StandIn,
    corp_server: StandIn,
) -> Callable[..., Awaitable[AppKit]]:
    """What starts a product with three providers, `demo`, `corp` and `github`; `ways` are further ways in."""
    github_server.clear()
    corp_server.clear()

    async def begin(*ways: Any, **settings: Any) -> AppKit:
        values: dict[str, Any] = {
            "github_base_url": github_server.url,
            "github_client_id": GITHUB_CLIENT_ID,
            "github_client_secret": GITHUB_CLIENT_SECRET,
            "oidc_issuer": corp_server.url,
            "oidc_client_id": DEMO_CLIENT_ID,
            "oidc_client_secret": DEMO_CLIENT_SECRET,
        }
        product = product_of(sign_in=[GitHub(), OpenIDConnect("corp", label="Corp"), *ways])
        return await start(product, **{**values, **settings})

    return begin


@pytest.fixture
async def three(start_three: Callable[..., Awaitable[AppKit]]) -> AppKit:
    """A product with three providers, running."""
    return await start_three()
