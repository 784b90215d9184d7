"""What identity does in the background."""

from datetime import timedelta

from tenantry.kernel.module import Job

from .actions import forget_expired_sessions

FORGET_SESSIONS = Job("identity.forget_expired_sessions", forget_expired_sessions, every=timedelta(minutes=10))
