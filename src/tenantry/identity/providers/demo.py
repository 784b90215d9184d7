"""Sign-in with the stand-in provider on this machine: for the first look and for tests, never for production."""

from tenantry.kernel.clock import Clock

from .oidc import Credentials, OpenIDProvider

NAME = "demo"
# No secrets: known to everybody, and good for nothing but a stand-in on loopback.
DEMO_CLIENT_ID = "tenantry-demo"
DEMO_CLIENT_SECRET = "demo-secret-not-for-production"  # noqa: S105 - public on purpose, see above

# The stand-in's port may be another one tomorrow; its people stay the same.
_STORED_ISSUER = "urn:tenantry:demo"


def demo(issuer: str, clock: Clock) -> OpenIDProvider:
    """The stand-in at `issuer`."""
    return OpenIDProvider(
        issuer,
        Credentials(DEMO_CLIENT_ID, DEMO_CLIENT_SECRET),
        clock,
        name=NAME,
        label="Demo",
        stored_issuer=_STORED_ISSUER,
        is_demo=True,
    )
