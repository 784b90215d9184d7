"""The operator's pages, one file a group of them."""

from .acts import router as acts_router
from .audit import router as audit_router
from .credits import router as credits_router
from .events import router as events_router
from .jobs import router as jobs_router
from .mails import router as mails_router
from .organizations import router as organizations_router
from .overview import router as overview_router
from .purchases import router as purchases_router
from .revenue import router as revenue_router
from .trials import router as trials_router
from .users import router as users_router

PAGES = [
    overview_router,
    users_router,
    acts_router,
    organizations_router,
    credits_router,
    revenue_router,
    events_router,
    purchases_router,
    trials_router,
    audit_router,
    jobs_router,
    mails_router,
]
