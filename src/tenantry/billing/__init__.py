"""Customers, subscriptions and payments, through whichever provider takes the money."""

from .figures import BillingFigures
from .inbox import Bell
from .providers import BillingProviders
from .providers.building import billing_providers, configured

__all__ = ["Bell", "BillingFigures", "BillingProviders", "billing_providers", "configured"]
