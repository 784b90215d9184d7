"""A group of commands that loads a command's module only when it is called: the one place that imports by name."""

import gc
import sys
from importlib import import_module
from typing import Any, ClassVar

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


class LazyGroup(TyperGroup):
    """Lists its commands by their lines and loads the one that is called, so that help costs no framework."""

    lines: ClassVar[dict[str, str]] = {}
    """Every command and its line in the list. Its module is `prefix` + its name, and has the command as `app`."""
    prefix: ClassVar[str] = ""

    def __init__(self, **given: Any) -> None:
        listed = [TyperCommand(name, help=line, rich_markup_mode="rich") for name, line in self.lines.items()]
        super().__init__(**{**given, "commands": listed})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command to be run, loaded now."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, self.load(name) if name and found else found, rest

    @classmethod
    def load(cls, name: str) -> Any:
        """The command `name`, from its module."""
        command = get_command(load_module(f"{cls.prefix}{name}").app)
        command.name = name
        return command


def load_module(name: str) -> Any:
    """A module of this room that is seldom needed.

    The garbage collector rests while it is imported, and leaves alone what was made: modules stay, and walking them
    again and again takes a tenth of the time until a server answers.
    """
    full = f"{__package__}.{name}"
    if full in sys.modules or not gc.isenabled():
        return import_module(full)
    gc.disable()
    try:
        return import_module(full)
    finally:
        gc.freeze()
        gc.enable()
