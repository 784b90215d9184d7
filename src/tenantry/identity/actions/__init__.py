"""What is done with users, their accounts and sessions."""

from .demo_people import register_demo_person
from .people import change_name
from .sessions import forget_expired_sessions, revoke_other_sessions, revoke_session, sign_out
from .sign_in import Started, begin_sign_in, finish_sign_in

__all__ = [
    "Started",
    "begin_sign_in",
    "change_name",
    "finish_sign_in",
    "forget_expired_sessions",
    "register_demo_person",
    "revoke_other_sessions",
    "revoke_session",
    "sign_out",
]
