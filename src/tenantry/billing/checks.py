"""What can be wrong with how a product is paid before the server starts. What is structural, the product checks."""

from collections.abc import Iterator, Sequence
from typing import Literal
from urllib.parse import urlsplit

from tenantry.kernel import Settings
from tenantry.product import Finding, LemonSqueezy, PaymentProvider, Product

from .providers.building import KEYS, Credentials, credentials_of

_LABELS = {"stripe": "Stripe", "polar": "Polar", "lemonsqueezy": "Lemon Squeezy"}
_TEST_KEYS, _LIVE_KEYS = ("sk_test_", "rk_test_"), ("sk_live_", "rk_live_")
_SANDBOX, _MARKET = "sandbox-api.polar.sh", "api.polar.sh"


def check_billing(product: Product, settings: Settings) -> Sequence[Finding]:
    """Every provider has its credentials, of the right mode, and there is something to sell.

    Missing credentials are a warning in development, where the stand-in may take the providers' place.
    """
    billing = product.billing
    if billing is None:
        return []
    found = list(check_unused(product, settings))
    for index, provider in enumerate(billing.providers):
        credentials = credentials_of(provider, settings)
        found += _check_credentials(f"billing.providers[{index}]", provider, credentials, settings)
        found += _check_mode(provider, credentials, settings)
    return [*found, *_check_sale(product)]


def check_unused(product: Product, settings: Settings) -> Sequence[Finding]:
    """The keys of providers that the product does not declare: who set one meant to be paid through it."""
    declared = {one.name for one in product.billing.providers} if product.billing else set()
    return [
        Finding(
            "warning",
            f"TENANTRY_{KEYS[name].upper()}",
            f"It is set, and the product is not paid through {label}.",
            "Declare it in billing=Billing(providers=[...]), or unset it.",
        )
        for name, label in _LABELS.items()
        if name not in declared and getattr(settings, KEYS[name]) is not None
    ]


def _check_credentials(
    where: str, provider: PaymentProvider, credentials: Credentials, settings: Settings
) -> Iterator[Finding]:
    level: Literal["error", "warning"] = "error" if settings.is_production else "warning"
    key, secret = f"TENANTRY_{KEYS[provider.name].upper()}", f"TENANTRY_{provider.name.upper()}_WEBHOOK_SECRET"
    if credentials.key is None:
        yield Finding(
            level,
            where,
            f"{provider.label} cannot be asked, so nobody can buy: {key} is unset.",
            "Set it, or take the provider out of billing.",
        )
    if not any(one.strip() for one in credentials.webhook_secrets):
        yield Finding(
            level,
            where,
            f"What {provider.label} tells is refused, since nothing verifies it: {secret} is unset.",
            f"Set it to the secret of the webhook to {settings.public_url}/webhooks/{provider.name}.",
        )
    if isinstance(provider, LemonSqueezy) and not provider.store:
        yield Finding(
            level,
            f"{where}.store",
            "Lemon Squeezy sells in a store, and none is named.",
            'Write its number: LemonSqueezy(store="12345").',
        )


def _check_mode(provider: PaymentProvider, credentials: Credentials, settings: Settings) -> Iterator[Finding]:
    mode = _mode(provider, credentials)
    where = f"TENANTRY_{KEYS[provider.name].upper()}"
    if mode == "test" and settings.is_production:
        yield Finding(
            "error",
            where,
            f"It belongs to {provider.label}'s test mode: everybody could buy with a made-up card.",
            "Set the live one.",
        )
    if mode == "live" and not settings.is_production:
        yield Finding(
            "warning",
            where,
            f"It is {provider.label}'s live one: what is tried here moves money.",
            "Use one of the test mode in development.",
        )


def _mode(provider: PaymentProvider, credentials: Credentials) -> str | None:
    """The mode that a key is for; None where nothing of it tells. Polar's test mode is a server of its own."""
    if credentials.key is None:
        return None
    if provider.name == "stripe":
        modes = {"test": credentials.key.startswith(_TEST_KEYS), "live": credentials.key.startswith(_LIVE_KEYS)}
    else:
        host = urlsplit(credentials.base_url).hostname
        modes = {"test": host == _SANDBOX, "live": host == _MARKET}
    return next((mode for mode, applies in modes.items() if applies), None)


def _check_sale(product: Product) -> Iterator[Finding]:
    if product.billing is not None and product.billing.offers == "products":
        return
    if not any(price.amount for plan in product.plans if plan.is_active for price in plan.prices):
        yield Finding(
            "warning",
            "plans",
            "There is billing, and no plan that is offered has a price: nothing can be bought.",
            "Give a plan a price, or leave billing out.",
        )
