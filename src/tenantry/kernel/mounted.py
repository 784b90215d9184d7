"""What a request is to the product: asked of its own application, or of somebody's in which it is mounted.

`app.state.tenantry` is the product's application, on itself and on what `tenantry.mount` was given.
"""

from typing import Any

from starlette.requests import Request
from starlette.types import Scope


def product_request(scope: Scope) -> Request:
    """A request or a websocket's handshake, as the product's own application would see it."""
    scope.setdefault("state", {})
    app = product_app(scope)
    if app is scope["app"] and scope["type"] == "http":
        return Request(scope)
    seen = {**scope, "app": app}
    # Else the names of routes would be looked up in somebody else's router.
    seen.pop("router", None)
    if scope["type"] == "websocket":
        # Any site can make a browser send a handshake with our cookies, and no CORS hides what comes back: it is
        # judged like a change. CONNECT is what it is called where it has a method of its own (RFC 8441).
        seen |= {"type": "http", "method": "CONNECT"}
    return Request(seen)


def product_app(scope: Scope) -> Any:
    """The product's own application: the one that is asked, or the one mounted in it. LookupError without any."""
    found = getattr(getattr(scope.get("app"), "state", None), "tenantry", None)
    if found is None:
        msg = "this application has no product: call tenantry.mount(app, tenantry.create_app(product)) first"
        raise LookupError(msg)
    return found
