"""The operator's pages: what needs somebody, what was bought and told, who did what, and the machine's work."""

from .operator import Operator

__all__ = ["Operator"]
