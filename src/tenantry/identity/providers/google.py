"""Sign-in with Google: OpenID Connect as everybody does it."""

from tenantry.kernel.clock import Clock

from .base import Registration
from .oidc import OpenIDProvider

ISSUER = "https://accounts.google.com"


def google(registration: Registration, clock: Clock) -> OpenIDProvider:
    """Google's provider."""
    return OpenIDProvider(ISSUER, registration, clock)
