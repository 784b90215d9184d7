"""`/team` and `/invitations`: who belongs together, and who is asked to join."""

from . import invited, members, team

ROUTERS = (team.router, members.router, invited.router)

__all__ = ["ROUTERS"]
