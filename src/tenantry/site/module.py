"""What site plugs in."""

from tenantry.kernel import Module

from .api import router as api_router
from .documentation import router as documentation_router
from .pages import router as pages_router
from .settings import router as settings_router

_PAGE = "what the product is, for everybody"

MODULE = Module(
    "site",
    routers=[api_router],
    pages=[pages_router, settings_router, documentation_router],
    public={
        "GET /": _PAGE,
        "GET /pricing": _PAGE,
        "GET /docs": "the description of the API is public",
        "GET /problems": "where the type of every problem leads",
        "GET /design": "shows parts without content; 404 in production",
        "GET /robots.txt": "crawlers have no account",
        "GET /favicon.ico": "browsers ask before anybody signs in",
    },
)
