"""Users, the accounts they sign in with, and their sessions."""

from .actions.demo_people import register_demo_person
from .actions.people import change_name
from .actions.sessions import revoke_other_sessions, revoke_session
from .events import UserRegistered
from .names import person_name
from .providers.base import SignInProviders
from .providers.building import sign_in_providers
from .providers.demo import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET
from .queries.accounts import of_user as accounts_of
from .queries.sessions import of_user as sessions_of

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
