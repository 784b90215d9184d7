"""All SQL of organizations, one file a noun."""

from . import answering, lookup

__all__ = ["answering", "lookup"]
