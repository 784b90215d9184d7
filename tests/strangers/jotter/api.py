"""Notebooks through `ctx.db`, their notes through `ctx.session()`."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from tenantry import Read, Write
from tenantry.kernel import Problem, new_id, problems

from . import queries
from .models import Notebooks, Notes

router = APIRouter(prefix="/v1/notebooks", tags=["notebooks"])


class NotebookNotFound(Problem):
    """There is no such notebook."""

    code, status = "jotter.notebook_not_found", 404


class TitleForbidden(Problem):
    """This title is not allowed."""

    code, status = "jotter.title_forbidden", 422


class Titled(BaseModel):
    """What one is called."""

    title: str
    holder_id: UUID | None = None


@router.post("", status_code=201)
async def add_notebook(body: Titled, ctx: Write) -> dict[str, Any]:
    """Add a notebook."""
    made = new_id()
    await ctx.db.run(queries.add, id=made, holder=body.holder_id or ctx.holder.id, title=body.title)
    return {"id": made}


@router.get("")
async def list_notebooks(ctx: Read) -> dict[str, Any]:
    """Every notebook with the titles of its notes."""
    async with ctx.session() as session:
        found = await session.scalars(select(Notebooks).options(selectinload(Notebooks.notes)).order_by(Notebooks.id))
        return {"items": [{"title": one.title, "notes": [note.title for note in one.notes]} for one in found]}


@router.post("/{notebook_id}/notes", status_code=201, responses=problems(NotebookNotFound, TitleForbidden))
async def add_note(notebook_id: UUID, body: Titled, ctx: Write) -> dict[str, Any]:
    """Add a note to a notebook."""
    async with ctx.session() as session:
        notebook = await session.get(Notebooks, notebook_id)
        if notebook is None:
            raise NotebookNotFound
        note = Notes(id=new_id(), holder_id=body.holder_id or notebook.holder_id, notebook_id=notebook_id)
        note.title = body.title
        session.add(note)
        await session.flush()
        if note.title == "forbidden":
            raise TitleForbidden
        return {"id": note.id, "created_at": note.created_at}
