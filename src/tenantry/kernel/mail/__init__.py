"""Outgoing mail: rows written in the caller's transaction, delivered by a job, kept readable in development."""

from .delivery import DELIVER, forget_sent, send_mail
from .queries import Mail

__all__ = ["DELIVER", "Mail", "forget_sent", "send_mail"]
