"""The ground floor: database, policies, context, problems, jobs, mail, audit, crypto, HTTP.

Of the domain it knows only who acts and who holds the plan. This door holds what every room needs; `kernel.database`,
`kernel.sql`, `kernel.policies`, `kernel.jobs`, `kernel.mail` and the other modules are doors of their own.
"""

from .context import Context
from .dependencies import Anyone, Caller, Open, Read, Service, SignedIn, Write
from .ids import new_id
from .module import Module
from .problems import Problem, problems
from .settings import Settings

__all__ = [
    "Anyone",
    "Caller",
    "Context",
    "Module",
    "Open",
    "Problem",
    "Read",
    "Service",
    "Settings",
    "SignedIn",
    "Write",
    "new_id",
    "problems",
]
