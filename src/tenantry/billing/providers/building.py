"""Making the providers of a product, as far as their credentials are set. Each is loaded only where it is declared."""

from typing import cast

import msgspec
from pydantic import SecretStr

from tenantry.kernel import Settings
from tenantry.kernel.clock import Clock
from tenantry.kernel.extras import extra
from tenantry.product import LemonSqueezy, PaymentProvider, Product

from ..snapshots import ProviderName
from .base import BillingProvider
from .registry import BillingProviders

KEYS = {"stripe": "stripe_api_key", "polar": "polar_access_token", "lemonsqueezy": "lemonsqueezy_api_key"}
"""The setting that each provider is asked with."""
_CLASSES = {"stripe": "StripeProvider", "polar": "PolarProvider", "lemonsqueezy": "LemonSqueezyProvider"}


class Credentials(msgspec.Struct, frozen=True):
    """What a provider is asked with, and what its events are verified with; without a key it cannot be asked."""

    base_url: str
    key: str | None = None
    webhook_secrets: tuple[str, ...] = ()
    store: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.base_url!r})"


def billing_providers(product: Product, settings: Settings, clock: Clock) -> BillingProviders:
    """The declared providers that have a key or a webhook secret, in declared order; the stand-in where there is one.

    In production the stand-in is never built.
    """
    found: dict[ProviderName, BillingProvider] = {}
    if settings.demo_billing is not None and not settings.is_production:
        found["fake"] = extra(f"{__package__}.fake").FakeProvider(settings.demo_billing, clock)
    for one in configured(product, settings):
        made = getattr(extra(f"{__package__}.{one.name}"), _CLASSES[one.name])
        found[cast("ProviderName", one.name)] = made(credentials_of(one, settings), clock)
    return BillingProviders(found)


def configured(product: Product, settings: Settings) -> list[PaymentProvider]:
    """The declared providers that have a key or a webhook secret, in declared order."""
    declared = product.billing.providers if product.billing else ()
    known = [(one, credentials_of(one, settings)) for one in declared]
    return [one for one, credentials in known if credentials.key is not None or credentials.webhook_secrets]


def credentials_of(provider: PaymentProvider, settings: Settings) -> Credentials:
    """What the settings say of a declared provider."""
    key: SecretStr | None = getattr(settings, KEYS[provider.name])
    return Credentials(
        base_url=getattr(settings, f"{provider.name}_base_url"),
        key=None if key is None else key.get_secret_value(),
        webhook_secrets=tuple(one.get_secret_value() for one in getattr(settings, f"{provider.name}_webhook_secret")),
        store=provider.store if isinstance(provider, LemonSqueezy) else "",
    )
