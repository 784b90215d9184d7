"""Whoever takes the money, each in a file of its own; `base.py` says what they all do."""

from .base import (
    BillingProvider,
    Cancel,
    Change,
    CheckoutPage,
    NewCustomer,
    Pause,
    PlanChange,
    PortalPage,
    Resume,
)
from .registry import BillingProviders

__all__ = [
    "BillingProvider",
    "BillingProviders",
    "Cancel",
    "Change",
    "CheckoutPage",
    "NewCustomer",
    "Pause",
    "PlanChange",
    "PortalPage",
    "Resume",
]
