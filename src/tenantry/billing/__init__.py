"""Customers, subscriptions and payments, through whichever provider takes the money."""

from .providers import BillingProviders
from .providers.building import billing_providers

__all__ = ["BillingProviders", "billing_providers"]
