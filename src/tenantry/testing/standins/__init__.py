"""Stand-ins for outside services: real HTTP servers on loopback that speak the documented protocol.

For the demo without the internet and for tests that patch nothing. Never for production: each says so at `/`.
"""

from tenantry.identity import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET

from .billing import start_billing
from .binance import is_reachable, start_binance
from .github import GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET, start_github
from .identity import start_identity
from .identity_people import PEOPLE, Person
from .server import StandIn

__all__ = [
    "DEMO_CLIENT_ID",
    "DEMO_CLIENT_SECRET",
    "GITHUB_CLIENT_ID",
    "GITHUB_CLIENT_SECRET",
    "PEOPLE",
    "Person",
    "StandIn",
    "is_reachable",
    "start_billing",
    "start_binance",
    "start_github",
    "start_identity",
]
