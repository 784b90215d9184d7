"""Customers, subscriptions and payments, through whichever provider takes the money."""

from .figures import BillingFigures
from .inbox import Bell
from .pricing import Pricing, Way, pricing_of
from .providers import BillingProviders
from .providers.building import billing_providers

__all__ = [
    "Bell",
    "BillingFigures",
    "BillingProviders",
    "Pricing",
    "Way",
    "billing_providers",
    "pricing_of",
]
