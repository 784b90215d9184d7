"""Sign-in with Google: OpenID Connect as everybody does it."""

from tenantry.kernel.clock import Clock

from .oidc import Credentials, OpenIDProvider

ISSUER = "https://accounts.google.com"


def google(credentials: Credentials, clock: Clock, *, label: str) -> OpenIDProvider:
    """Google's provider."""
    return OpenIDProvider(ISSUER, credentials, clock, name="google", label=label)
