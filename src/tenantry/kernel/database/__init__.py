"""How rooms reach the database: tables, types and statements in; rows out. Units come with the context."""

from .statements import Statement, param, statement
from .tables import Base, Created, Touched, column, id_column, length_between, one_of
from .units import Unit, refuse_while_open

__all__ = [
    "Base",
    "Created",
    "Statement",
    "Touched",
    "Unit",
    "column",
    "id_column",
    "length_between",
    "one_of",
    "param",
    "refuse_while_open",
    "statement",
]
