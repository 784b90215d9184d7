"""All SQL of organizations, one file a noun."""

from . import lookup

__all__ = ["lookup"]
