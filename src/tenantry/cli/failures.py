"""What goes wrong in a way that was expected: one or two plain lines and a status, never a traceback."""

from collections.abc import Sequence

from typer.exceptions import TyperException

from tenantry.product import Finding


class Failure(TyperException):
    """A command could not do what it was asked to: what is wrong, and what to do about it. Status 1."""

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(problem)
        self.fix = fix


class Refused(Failure):
    """Checks found errors; `findings` has everything they said, warnings too."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(f"{len(findings)} findings")
        self.findings = tuple(findings)
