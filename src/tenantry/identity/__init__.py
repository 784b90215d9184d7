"""Users, the accounts they sign in with, and their sessions."""

from .actions import change_name, revoke_other_sessions, revoke_session
from .events import UserRegistered
from .providers.base import SignInProvider, SignInProviders
from .providers.building import sign_in_providers
from .providers.demo import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET
from .queries import accounts_of, sessions_of, user_by_id

__all__ = [
    "DEMO_CLIENT_ID",
    "DEMO_CLIENT_SECRET",
    "SignInProvider",
    "SignInProviders",
    "UserRegistered",
    "accounts_of",
    "change_name",
    "revoke_other_sessions",
    "revoke_session",
    "sessions_of",
    "sign_in_providers",
    "user_by_id",
]
