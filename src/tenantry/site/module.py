"""What site plugs in."""

from tenantry.kernel import Module

from .api import router as api_router
from .documentation import router as documentation_router
from .mailbox import router as mailbox_router
from .pages import router as pages_router
from .settings import router as settings_router

_PAGE = "what the product is, for everybody"
_MAILBOX = "who waits for a mail that signs in is not signed in yet; development only, and for callers near by"

MODULE = Module(
    "site",
    routers=[api_router],
    pages=[pages_router, settings_router, documentation_router, mailbox_router],
    public={
        "GET /": _PAGE,
        "GET /pricing": _PAGE,
        "GET /docs": "the description of the API is public",
        "GET /problems": "where the type of every problem leads",
        "GET /design": "shows parts without content; 404 in production",
        "GET /robots.txt": "crawlers have no account",
        "GET /favicon.ico": "browsers ask before anybody signs in",
        "GET /mailbox": _MAILBOX,
        "GET /mailbox/{mail_id}": _MAILBOX,
        "GET /mailbox/{mail_id}/html": _MAILBOX,
    },
    service={"mailbox": "the mails of everybody, which only the service login may read"},
)
