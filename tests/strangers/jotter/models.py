"""Tables of the author's own. Both belong to a holder; a note cannot lie in somebody else's notebook."""

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import relationship

from tenantry.holders import of_my_holders
from tenantry.kernel.database import Base, Touched, column, id_column, length_between
from tenantry.kernel.database.types import Id, Words
from tenantry.kernel.policies import Policy, Rights

MINE = Rights(
    read=of_my_holders(),
    insert=of_my_holders(),
    update=of_my_holders(),
    delete=of_my_holders(),
    update_columns=("title",),
)


class Notebooks(Touched, Base):
    """A holder's."""

    __tablename__ = "notebooks"
    __policy__ = Policy(authenticated=MINE)

    id = id_column()
    holder_id = column(Id(), ForeignKey("holders.id", ondelete="CASCADE"))
    title = column(Words())
    notes = relationship(lambda: Notes, order_by=lambda: Notes.title, passive_deletes=True)

    __table_args__ = (UniqueConstraint("holder_id", "id"), length_between("title", 1, 200))


class Notes(Touched, Base):
    """In a notebook of the same holder."""

    __tablename__ = "notes"
    __policy__ = Policy(authenticated=MINE)

    id = id_column()
    holder_id = column(Id(), ForeignKey("holders.id", ondelete="CASCADE"))
    notebook_id = column(Id())
    title = column(Words())

    __table_args__ = (
        ForeignKeyConstraint(["holder_id", "notebook_id"], ["notebooks.holder_id", "notebooks.id"], ondelete="CASCADE"),
        length_between("title", 1, 200),
        Index("ix_notes_holder_id_notebook_id", "holder_id", "notebook_id"),
    )
