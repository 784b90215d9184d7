"""`/v1/organizations`, `/v1/invitations` and `/v1/me/organization`."""

from . import invitations, members, organizations, own

ROUTERS = [organizations.router, members.router, invitations.router, own.router]
