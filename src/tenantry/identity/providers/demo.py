"""Sign-in with the stand-in provider on this machine: for the first look and for tests, never for production."""

from tenantry.kernel.clock import Clock

from .base import Registration
from .oidc import OpenIDProvider

NAME = "demo"
# No secrets: known to everybody, and good for nothing but a stand-in on loopback.
DEMO_CLIENT_ID = "tenantry-demo"
DEMO_CLIENT_SECRET = "demo-secret-not-for-production"  # noqa: S105 - public on purpose, see above

# The stand-in's port may be another one tomorrow; its people stay the same.
STORED_ISSUER = "urn:tenantry:demo"


def demo(issuer: str, clock: Clock) -> OpenIDProvider:
    """The stand-in at `issuer`."""
    registration = Registration(NAME, "Demo", DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, is_demo=True)
    return OpenIDProvider(issuer, registration, clock, stored_issuer=STORED_ISSUER)
