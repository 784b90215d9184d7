"""What can be wrong with being paid before the server starts. What the declaration alone shows is the product's own."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from tenantry.kernel import Settings
from tenantry.product import Finding, LemonSqueezy, PaymentProvider, Product

from .providers.building import KEYS, credentials_of

STRIPE_TEST_KEYS = ("sk_test_", "rk_test_")


def check_payments(product: Product, settings: Settings) -> Sequence[Finding]:
    """Every provider has what it is asked and verified with, and in production none is a provider's test mode.

    In development nothing has to be set: a stand-in takes the providers' place.
    """
    declared = product.billing.providers if product.billing else ()
    found: list[Finding] = []
    for index, one in enumerate(declared):
        found += _check_credentials(f"billing.providers[{index}]", one, settings)
    if settings.is_production:
        found += _check_test_modes(declared, settings)
    return found


def _check_credentials(where: str, provider: PaymentProvider, settings: Settings) -> Iterator[Finding]:
    credentials = credentials_of(provider, settings)
    key, secret = f"TENANTRY_{KEYS[provider.name].upper()}", f"TENANTRY_{provider.name.upper()}_WEBHOOK_SECRET"
    if credentials.key is None and not credentials.webhook_secrets:
        if settings.is_production:
            told = f"Nobody can pay through {provider.label}: {key} and {secret} are unset."
            yield Finding("warning", where, told, "Set them, or take this provider out of billing.")
        return
    if credentials.key is None:
        told = f"Nothing can be bought or read at {provider.label}: {key} is unset."
        yield Finding("warning", where, told, "Set it.")
    if not credentials.webhook_secrets:
        told = f"What {provider.label} tells is refused: {secret} is unset."
        yield Finding(
            "warning", where, told, f"Set it to the signing secret of its webhook, /webhooks/{provider.name}."
        )
    if isinstance(provider, LemonSqueezy) and not provider.store.strip():
        yield Finding(
            "warning", f"{where}.store", "Nothing can be bought: the store is not named.", "Write its number."
        )


def _check_test_modes(declared: Sequence[PaymentProvider], settings: Settings) -> Iterator[Finding]:
    names = {one.name for one in declared}
    key = settings.stripe_api_key.get_secret_value() if settings.stripe_api_key else ""
    if "stripe" in names and key.startswith(STRIPE_TEST_KEYS):
        told = "It is a key of Stripe's test mode: anybody could buy with a made-up card."
        yield Finding("error", "TENANTRY_STRIPE_API_KEY", told, "Set the live key.")
    host = urlsplit(settings.polar_base_url).hostname or ""
    if "polar" in names and host.startswith("sandbox"):
        told = "It is Polar's sandbox: anybody could buy with a made-up card."
        yield Finding("error", "TENANTRY_POLAR_BASE_URL", told, "Leave it out.")
