"""Customers, subscriptions and payments, through whichever provider takes the money."""

from .checks import check_unused
from .demo import DEMO_KEY, DEMO_WEBHOOK_SECRET
from .figures import BillingFigures
from .inbox import Bell
from .pricing import Pricing, Way, pricing_of
from .providers import BillingProviders
from .providers.building import billing_providers, configured

__all__ = [
    "DEMO_KEY",
    "DEMO_WEBHOOK_SECRET",
    "Bell",
    "BillingFigures",
    "BillingProviders",
    "Pricing",
    "Way",
    "billing_providers",
    "check_unused",
    "configured",
    "pricing_of",
]
