"""The JSON doors of billing."""

from . import buying, subscriptions

ROUTERS = [subscriptions.router, buying.router]

__all__ = ["ROUTERS"]
