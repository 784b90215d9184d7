"""Users, the accounts they sign in with, and their sessions."""

from .actions import change_name, register_demo_person, revoke_other_sessions, revoke_session
from .events import UserRegistered
from .names import person_name
from .providers.base import SignInProviders
from .providers.building import sign_in_providers
from .providers.demo import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET
from .queries import accounts_of, sessions_of

__all__ = [
    "DEMO_CLIENT_ID",
    "DEMO_CLIENT_SECRET",
    "SignInProviders",
    "UserRegistered",
    "accounts_of",
    "change_name",
    "person_name",
    "register_demo_person",
    "revoke_other_sessions",
    "revoke_session",
    "sessions_of",
    "sign_in_providers",
]
