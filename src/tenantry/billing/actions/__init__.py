"""What people do about what they pay: buy, change, cancel, resume, pause, and see to their cards.

No unit is open while a provider is asked. What it did and we could not write down is told by its next event.
"""

from .buying import checkout, checkout_price, portal
from .changing import cancel, change_plan, pause, resume
from .looking import confirmed, confirmed_price, current

__all__ = [
    "cancel",
    "change_plan",
    "checkout",
    "checkout_price",
    "confirmed",
    "confirmed_price",
    "current",
    "pause",
    "portal",
    "resume",
]
