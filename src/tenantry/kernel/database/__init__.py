"""How rooms reach the database: tables, types and statements in; rows out. Units come with the context."""

from .statements import Statement, ids_param, param, statement, texts_param
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
    "ids_param",
    "length_between",
    "one_of",
    "param",
    "refuse_while_open",
    "statement",
    "texts_param",
]
