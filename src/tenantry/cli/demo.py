"""Demo mode: stand-ins for the outside world, on this machine, so that a product can be tried without accounts."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tenantry.kernel import Settings
from tenantry.kernel.addresses import LOOPBACK
from tenantry.product import Product
from tenantry.sources import Binance
from tenantry.testing.standins import PEOPLE, is_reachable, start_binance, start_identity

from .failures import Failure


@dataclass(slots=True)
class Demo:
    """What is running: the settings that lead to it, and a line about each for the person who started it."""

    environment: dict[str, str] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)


def wants_demo(settings: Settings, asked: bool | None) -> bool:
    """Whether stand-ins are to be used: as asked, else in development. Production refuses them."""
    if asked and settings.is_production:
        raise Failure("--demo is refused in production: anybody could sign in as anybody.", "Leave --demo out.")
    return not settings.is_production if asked is None else asked


@contextmanager
def stand_ins(product: Product, settings: Settings) -> Iterator[Demo]:
    """Start the stand-ins a product needs here; they end with the block."""
    demo = Demo()
    with ExitStack() as stack:
        _sign_in(demo, settings, stack)
        if any(isinstance(one.adapter, Binance) and one.status == "active" for one in product.sources):
            _prices(demo, settings, stack)
        yield demo


def _sign_in(demo: Demo, settings: Settings, stack: ExitStack) -> None:
    names = f"as {PEOPLE[0].given_name}, {PEOPLE[1].given_name} or another, without a password"
    if settings.demo_issuer is not None:
        demo.lines["Sign-in"] = f"the stand-in at {settings.demo_issuer}, {names}"
        return
    if urlsplit(settings.public_url).hostname not in LOOPBACK:
        demo.lines["Sign-in"] = f"no demo, because {settings.public_url} may be open to others"
        return
    provider = stack.enter_context(start_identity(redirect_uris=[f"{settings.public_url}/auth/demo/callback"]))
    demo.environment["TENANTRY_DEMO_ISSUER"] = provider.url
    demo.lines["Sign-in"] = f"demo, {names}"


def _prices(demo: Demo, settings: Settings, stack: ExitStack) -> None:
    host = urlsplit(settings.binance_base_url).netloc
    if "binance_base_url" in settings.model_fields_set or is_reachable(settings.binance_base_url):
        demo.lines["Prices"] = f"from {host}"
        return
    exchange = stack.enter_context(start_binance())
    demo.environment["TENANTRY_BINANCE_BASE_URL"] = exchange.url
    demo.lines["Prices"] = f"made up, because {host} does not answer from here"
