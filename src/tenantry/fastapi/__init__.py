"""For a FastAPI application of one's own, beside `tenantry.mount`: who asks, what a call costs, who may.

    @app.get("/report", dependencies=[Metered(requests, cost=5)])
    async def report(user: CurrentUser) -> dict[str, str | None]:
        return {"for": user.name, "plan": user.plan}

A module's routes may use them too, beside `ctx: Read` and its kind.
"""

from .dependencies import Costs, CurrentUser, Metered, Require, User

__all__ = ["Costs", "CurrentUser", "Metered", "Require", "User"]
