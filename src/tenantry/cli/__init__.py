"""The command line. Each command is a module of its own, loaded when it is called."""

from .commands import main, run

__all__ = ["main", "run"]
