"""What identity does in the background."""

from datetime import timedelta

from tenantry.kernel.module import Job

from .actions.sessions import forget_expired_sessions
from .tokens import forget_expired_tokens

FORGET_SESSIONS = Job("identity.forget_expired_sessions", forget_expired_sessions, every=timedelta(minutes=10))
FORGET_TOKENS = Job("identity.forget_expired_tokens", forget_expired_tokens, every=timedelta(minutes=10))
