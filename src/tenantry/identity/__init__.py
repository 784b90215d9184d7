"""Users, the accounts they sign in with, and their sessions."""

from .actions.demo_people import register_demo_person
from .actions.people import change_name
from .actions.provider_tokens import provider_token
from .events import UserProven, UserRegistered
from .hashing import PasswordHashing
from .names import person_name
from .providers.base import SignInProviders
from .providers.building import sign_in_providers
from .providers.demo import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET

__all__ = [
    "DEMO_CLIENT_ID",
    "DEMO_CLIENT_SECRET",
    "PasswordHashing",
    "SignInProviders",
    "UserProven",
    "UserRegistered",
    "change_name",
    "person_name",
    "provider_token",
    "register_demo_person",
    "sign_in_providers",
]
