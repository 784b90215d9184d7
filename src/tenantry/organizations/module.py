"""What organizations plug in."""

from tenantry.identity.events import UserDeletion, UserProven, UserRegistered
from tenantry.kernel import Module
from tenantry.kernel.module import Export, NavItem
from tenantry.web import mark

from . import api, pages
from .checks import check_organizations
from .export import collect_invitations, collect_organizations
from .handlers import leave_all, open_own, take_back_sent
from .jobs import FORGET_INVITATIONS
from .panel import PANEL
from .roles import PERMISSIONS

MODULE = Module(
    "organizations",
    routers=api.ROUTERS,
    pages=pages.ROUTERS,
    panels=[PANEL],
    nav=[NavItem(mark("Team"), "/team", order=50, icon="people")],
    permissions=PERMISSIONS,
    handlers={UserRegistered: open_own, UserDeletion: leave_all, UserProven: take_back_sent},
    jobs=[FORGET_INVITATIONS],
    checks=[check_organizations],
    exports=[
        Export("organizations", collect_organizations),
        Export("invitations_sent", collect_invitations),
    ],
    public={"GET /invitations": "shows what a mailed link is for; the token is the proof, and not used up"},
    service={
        "create": "locks the person to count what they belong to, and writes what the API login may only read",
        "changing": "locks an organization to look up what who asks may do there, and writes what it then changes",
        "choose": "writes for which organization a session works, which the API login may only read",
        "transfer": "reads who takes over, to write to them",
        "invite": "looks up who asks, and whether the address belongs to somebody of the organization",
        "resend": "the same",
        "accept": "uses an invitation up, which only its organization sees, and writes the membership",
        "decline": "the same, to say no",
        "open_missing_holders": "writes what organizations hold that were made before they were billed",
        "grant_plan_to": "an operator writes an organization's plan, which the API login may not",
        "looking": "reads the names of other people, and seats by the plan of an owner",
        "team_page": "the same, in one unit",
        "team_of": "the same",
        "show_link": "reads what a token stands for, which only the service login sees",
        "show": "reads an invitation for the person whom it is for, which its organization alone sees",
        "invited": "the same",
    },
)
