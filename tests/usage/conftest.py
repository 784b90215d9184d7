"""A person without a sign-in: usage only needs their holder. What tests share stands beside them."""

import sys
from pathlib import Path

import pytest
from sqlalchemy import insert

from tenantry.identity.models import Users
from tenantry.kernel.database import param, statement

# As in `from usage.lease_world import ...`.
sys.path.append(str(Path(__file__).parents[1]))

_add_user = statement(insert(Users).values(id=param("id"), email=param("email")))


@pytest.fixture
def add_user():
    """To be awaited with a context on the service login and the id: `add_user(ctx, id)`."""

    async def add(ctx, user):
        await ctx.db.run(_add_user, id=user, email=f"{user}@example.com")

    return add
