"""Making the providers of a product, as far as their credentials are set."""

from tenantry.kernel import Settings
from tenantry.kernel.clock import Clock
from tenantry.product import GitHub, Google, OpenIDConnect, Product, Provider

from .base import Registration, SignInProvider, SignInProviders
from .demo import demo
from .github import GitHubProvider
from .google import google
from .oidc import OpenIDProvider


def sign_in_providers(product: Product, settings: Settings, clock: Clock) -> SignInProviders:
    """The declared ways in whose credentials are set, in declared order; the demo provider last where there is one.

    In production the demo provider is never built.
    """
    declared = [_build(way, settings, clock) for way in product.providers if not missing_settings(way, settings)]
    if settings.demo_issuer is not None and not settings.is_production:
        declared.append(demo(settings.demo_issuer, clock))
    return SignInProviders(tuple(declared))


def missing_settings(way: Provider, settings: Settings) -> tuple[str, ...]:
    """The names of the settings that a way in still needs; empty when it works."""
    return tuple(f"TENANTRY_{field.upper()}" for field in _fields(way) if getattr(settings, field) is None)


def _fields(way: Provider) -> tuple[str, ...]:
    match way:
        case Google():
            return ("google_client_id", "google_client_secret")
        case GitHub():
            return ("github_client_id", "github_client_secret")
        case _:
            return ("oidc_issuer", "oidc_client_id", "oidc_client_secret")


def _build(way: Provider, settings: Settings, clock: Clock) -> SignInProvider:
    *_, client_id, secret = (getattr(settings, field) for field in _fields(way))
    scopes, parameters = _offline(way)
    registration = Registration(
        way.name,
        way.label,
        client_id,
        secret.get_secret_value(),
        scopes=(*scopes, *way.scopes),
        parameters=parameters,
    )
    match way:
        case Google():
            return google(registration, clock)
        case GitHub():
            return GitHubProvider(registration, clock, web=settings.github_base_url)
        case _:
            return OpenIDProvider(settings.oidc_issuer or "", registration, clock)


def _offline(way: Provider) -> tuple[tuple[str, ...], dict[str, str]]:
    """The scopes and parameters that ask for a refresh token; it comes with a consent only."""
    match way:
        case Google(offline=True):
            # Google's documentation of OAuth for web servers: there is no scope for it.
            return (), {"access_type": "offline", "prompt": "consent"}
        case OpenIDConnect(offline=True):
            # OpenID Connect Core 1.0, 11.
            return ("offline_access",), {"prompt": "consent"}
        case _:
            # GitHub's tokens last, or can be refreshed, as the app is set up there.
            return (), {}
