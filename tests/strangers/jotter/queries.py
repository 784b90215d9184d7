"""The statements that run through `ctx.db`."""

from uuid import UUID

import msgspec
from sqlalchemy import insert, select

from tenantry.kernel.database import param, statement

from .models import Notebooks


class Notebook(msgspec.Struct, frozen=True):
    """A notebook as it is read."""

    id: UUID
    title: str


add = statement(
    insert(Notebooks).values(id=param("id"), holder_id=param("holder"), title=param("title")),
)
mine = statement(select(Notebooks.id, Notebooks.title).order_by(Notebooks.id), Notebook)
