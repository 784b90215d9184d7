"""Starting the stand-ins of demo mode. Loaded only then: a server in production holds nothing of the test kit."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tenantry.billing import configured
from tenantry.kernel import Settings
from tenantry.kernel.addresses import LOOPBACK
from tenantry.product import Product
from tenantry.sources import Binance
from tenantry.testing.standins import PEOPLE, is_reachable, start_billing, start_binance, start_identity

from .demo import Demo


@contextmanager
def stand_ins(product: Product, settings: Settings) -> Iterator[Demo]:
    """Start the stand-ins a product needs here; they end with the block."""
    demo = Demo()
    with ExitStack() as stack:
        _sign_in(demo, settings, stack)
        if any(isinstance(one.adapter, Binance) and one.status == "active" for one in product.sources):
            _prices(demo, settings, stack)
        if product.billing is not None:
            _payments(demo, product, settings, stack)
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


def _payments(demo: Demo, product: Product, settings: Settings, stack: ExitStack) -> None:
    if settings.demo_billing is not None:
        demo.lines["Payments"] = f"the stand-in at {settings.demo_billing}, no money moves"
        return
    if found := configured(product, settings):
        demo.lines["Payments"] = f"through {', '.join(one.label for one in found)}"
        return
    if urlsplit(settings.public_url).hostname not in LOOPBACK:
        demo.lines["Payments"] = f"no demo, because {settings.public_url} may be open to others"
        return
    told = f"{settings.public_url}/webhooks/fake"
    provider = stack.enter_context(start_billing(product, told=told, file=_books_of(settings)))
    if product.billing is not None and product.billing.offers == "products":
        provider.sell_goods(product)
    demo.environment["TENANTRY_DEMO_BILLING"] = provider.url
    demo.lines["Payments"] = f"demo, no money moves; what was bought is at {provider.url}"


def _books_of(settings: Settings) -> Path:
    """Where the stand-in keeps what was bought: beside the database, and no longer than it."""
    database = settings.sqlite_path
    books = (database or Path("var/tenantry.db")).with_suffix(".payments.json")
    if database is not None and not database.exists():
        books.unlink(missing_ok=True)
    return books
