"""The operator's pages, one file a group of them."""

from .audit import router as audit_router
from .events import router as events_router
from .jobs import router as jobs_router
from .mails import router as mails_router
from .overview import router as overview_router
from .purchases import router as purchases_router
from .trials import router as trials_router

PAGES = [
    overview_router,
    events_router,
    purchases_router,
    trials_router,
    audit_router,
    jobs_router,
    mails_router,
]
