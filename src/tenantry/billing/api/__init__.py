"""The JSON doors of billing."""

from . import buying, products, subscriptions

ROUTERS = [subscriptions.router, buying.router, products.router]

__all__ = ["ROUTERS"]
