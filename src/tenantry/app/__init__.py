"""The composition root: the only place that knows every room. `create_app(product)` is an ASGI application."""

from .checks import StartRefused, check
from .composition import create_app
from .mounting import mount

__all__ = ["StartRefused", "check", "create_app", "mount"]
