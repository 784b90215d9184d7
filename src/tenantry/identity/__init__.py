"""Users, the accounts they sign in with, and their sessions."""

from .actions import change_name, register_demo_person, revoke_other_sessions, revoke_session
from .events import UserRegistered
from .providers.base import SignInProviders
from .providers.building import sign_in_providers
from .providers.demo import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET
from .queries import accounts_of, sessions_of, user_by_id

__all__ = [
    "DEMO_CLIENT_ID",
    "DEMO_CLIENT_SECRET",
    "SignInProviders",
    "UserRegistered",
    "accounts_of",
    "change_name",
    "register_demo_person",
    "revoke_other_sessions",
    "revoke_session",
    "sessions_of",
    "sign_in_providers",
    "user_by_id",
]
