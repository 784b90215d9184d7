"""E-mail addresses as they are typed: a door beside the room's own, for rooms that write to who is nobody here yet."""

from .api.fields import EmailAddress
from .providers.profiles import clean_email

__all__ = ["EmailAddress", "clean_email"]
