"""What can be wrong with the ways in before the server starts. The settings' own checks are the kernel's."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from tenantry.kernel import Settings
from tenantry.product import Finding, MagicLink, OpenIDConnect, Passkey, Password, Product

from .providers.building import missing_settings
from .providers.demo import NAME as DEMO

_TAKEN = ("google", "github", DEMO)


def check_sign_in(product: Product, settings: Settings) -> Sequence[Finding]:
    """Every way in has its credentials and can send its mail, and no two share a name or settings.

    Missing credentials are a warning in development.
    """
    return [
        *_check_credentials(product, settings),
        *_check_open_id(product),
        *_check_mail(product, settings),
        *_check_passkeys(product, settings),
    ]


def _check_credentials(product: Product, settings: Settings) -> Iterator[Finding]:
    for index, way in enumerate(product.sign_in):
        if isinstance(way, Password | MagicLink | Passkey):
            continue
        if missing := missing_settings(way, settings):
            yield Finding(
                "error" if settings.is_production else "warning",
                f"sign_in[{index}]",
                f"Nobody can sign in with {way.label}: {', '.join(missing)} {_are(missing)} unset.",
                f"Set {_them(missing)}, or take this way out of sign_in.",
            )


def _check_open_id(product: Product) -> Iterator[Finding]:
    found = [(index, way) for index, way in enumerate(product.sign_in) if isinstance(way, OpenIDConnect)]
    for index, way in found:
        if way.name in _TAKEN:
            yield Finding("error", f"sign_in[{index}].name", f'"{way.name}" is another provider\'s name.', "Rename it.")
    for index, _way in found[1:]:
        yield Finding(
            "error",
            f"sign_in[{index}]",
            "A second OpenIDConnect() would use the same TENANTRY_OIDC_ settings as the first.",
            "Keep one of them.",
        )


def _check_mail(product: Product, settings: Settings) -> Iterator[Finding]:
    if not settings.is_production or settings.smtp_url is not None:
        return
    for index, way in enumerate(product.sign_in):
        if isinstance(way, Password | MagicLink):
            yield Finding(
                "error",
                f"sign_in[{index}]",
                f"{type(way).__name__}() sends mail, and TENANTRY_SMTP_URL is unset.",
                "Set it, or take this way out of sign_in.",
            )


def _check_passkeys(product: Product, settings: Settings) -> Iterator[Finding]:
    host = urlsplit(settings.public_url).hostname or ""
    if not host.replace(".", "").isdigit() and ":" not in host:
        return
    for index, way in enumerate(product.sign_in):
        if isinstance(way, Passkey):
            yield Finding(
                "error" if settings.is_production else "warning",
                f"sign_in[{index}]",
                f"Browsers make passkeys for names, and {host} is none.",
                "Set TENANTRY_PUBLIC_URL to an address with a name. On this machine: tenantry run --host localhost.",
            )


def _are(names: Sequence[str]) -> str:
    return "are" if len(names) > 1 else "is"


def _them(names: Sequence[str]) -> str:
    return "them" if len(names) > 1 else "it"
