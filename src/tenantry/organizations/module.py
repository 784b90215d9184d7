"""What organizations plug in."""

from tenantry.identity.events import UserDeletion, UserRegistered
from tenantry.kernel import Module
from tenantry.kernel.module import Export

from . import api
from .checks import check_organizations
from .export import collect_invitations, collect_organizations
from .handlers import leave_all, open_own
from .jobs import FORGET_INVITATIONS
from .roles import PERMISSIONS

MODULE = Module(
    "organizations",
    routers=api.ROUTERS,
    permissions=PERMISSIONS,
    handlers={UserRegistered: open_own, UserDeletion: leave_all},
    jobs=[FORGET_INVITATIONS],
    checks=[check_organizations],
    exports=[
        Export("organizations", collect_organizations),
        Export("invitations_sent", collect_invitations),
    ],
    service={
        "create": "locks the person to count what they belong to, and writes what the API login may only read",
        "changing": "locks an organization to look up what who asks may do there, and writes what it then changes",
        "choose": "writes for which organization a session works, which the API login may only read",
        "transfer": "reads who takes over, to write to them",
        "invite": "looks up who asks, and whether the address belongs to somebody of the organization",
        "resend": "the same",
        "accept": "uses an invitation up, which only its organization sees, and writes the membership",
        "decline": "the same, to say no",
        "grant_plan_to": "an operator writes an organization's plan, which the API login may not",
        "looking": "reads the names of other people, and seats by the plan of an owner",
    },
)
