"""Outgoing mail: rows written in the caller's transaction, delivered by a job, kept readable in development."""

from .delivery import DELIVER, forget_sent, mail_of, send_mail
from .queries import Mail, MailHead
from .queries import heads as newest_mails

__all__ = ["DELIVER", "Mail", "MailHead", "forget_sent", "mail_of", "newest_mails", "send_mail"]
