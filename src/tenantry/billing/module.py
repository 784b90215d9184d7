"""What billing plugs in."""

from tenantry.identity import UserAddressChanged, UserProven
from tenantry.kernel import Module

from .claims import claim_of_proven
from .figures import billing_figures
from .jobs import JOBS
from .webhooks import router as webhooks_router
from .worker import work

MODULE = Module(
    "billing",
    routers=[webhooks_router],
    jobs=JOBS,
    loops=[work],
    handlers={UserProven: claim_of_proven, UserAddressChanged: claim_of_proven},
    figures=[billing_figures],
    public={
        "POST /webhooks/{provider}": "a payment provider has no account; the signature is the proof",
    },
    service={
        "inbox": "stores what providers tell, which is nobody's",
        "worker": "writes subscriptions and payments of everybody, which the API login may only read",
        "reading": "the same, of what was read",
        "sync": "the same, of what was listed",
        "claims": "links purchases that are nobody's to holders",
        "operating": "an operator looks at everybody's events and purchases",
        "jobs": "settles everybody's plans by the clock",
    },
)
