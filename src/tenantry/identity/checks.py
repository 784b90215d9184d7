"""What can be wrong with the ways in before the server starts. The settings' own checks are the kernel's."""

from collections.abc import Iterator, Sequence

from tenantry.kernel import Settings
from tenantry.product import Finding, MagicLink, OpenIDConnect, Passkey, Password, Product

from .providers.building import missing_settings
from .providers.demo import NAME as DEMO

_TAKEN = ("google", "github", DEMO)


def check_sign_in(product: Product, settings: Settings) -> Sequence[Finding]:
    """Every way in has its credentials, and no two share a name or settings. In development a lack is a warning."""
    return [*_check_credentials(product, settings), *_check_open_id(product), *_check_unfinished(product)]


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


def _check_unfinished(product: Product) -> Iterator[Finding]:
    for index, way in enumerate(product.sign_in):
        if isinstance(way, Password | MagicLink | Passkey):
            yield Finding(
                "error",
                f"sign_in[{index}]",
                f"{type(way).__name__}() has no pages yet in this version, so nobody could sign in with it.",
                "Leave it out for now.",
            )


def _are(names: Sequence[str]) -> str:
    return "are" if len(names) > 1 else "is"


def _them(names: Sequence[str]) -> str:
    return "them" if len(names) > 1 else "it"
