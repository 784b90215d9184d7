"""What admin plugs in."""

from tenantry.identity.operating import ADMINISTER
from tenantry.kernel import Module
from tenantry.kernel.module import NavItem
from tenantry.web import mark

from .api import router
from .pages import PAGES

_ADMIN = mark("Admin")


def _nav(label: str, path: str, order: int, icon: str, *, room: str = "") -> NavItem:
    return NavItem(
        label, path, order, icon=icon, group=_ADMIN, permission=ADMINISTER, room=room, is_exact=path == "/admin"
    )


# Between 200 and 300, so that what others add to this group finds its place.
MODULE = Module(
    "admin",
    routers=[router],
    pages=PAGES,
    nav=[
        _nav(mark("Overview"), "/admin", 200, "home"),
        _nav(mark("Users"), "/admin/users", 210, "people"),
        _nav(mark("Organizations"), "/admin/organizations", 215, "people", room="organizations"),
        _nav(mark("All credits"), "/admin/credits", 220, "data", room="credits"),
        _nav(mark("Revenue"), "/admin/revenue", 230, "chart", room="billing"),
        _nav(mark("Subscriptions"), "/admin/subscriptions", 240, "card", room="billing"),
        _nav(mark("Unlinked purchases"), "/admin/purchases", 245, "card", room="billing"),
        _nav(mark("Billing events"), "/admin/events", 250, "data", room="billing"),
        _nav(mark("All trials"), "/admin/trials", 255, "flask", room="trials"),
        _nav(mark("Audit log"), "/admin/audit", 260, "shield"),
        _nav(mark("Jobs"), "/admin/jobs", 270, "layers"),
        _nav(mark("Mails"), "/admin/mails", 280, "mail"),
    ],
    service={
        "pages": "an operator, whose right was checked, looks at what the API login may not read of others",
        "people": "an operator's changes to a plan, a key or credits of somebody else, audited with a reason",
        "actions": "an operator's changes to what is somebody else's, audited with a reason",
        "reading_audit": "the API login may only add to the audit log",
        "list_audit": "the same: one's own entries are picked out by the statement",
    },
)
