"""Demo mode: stand-ins for the outside world, on this machine, so that a product can be tried without accounts."""

from dataclasses import dataclass, field

from tenantry.kernel import Settings

from .failures import Failure


@dataclass(slots=True)
class Demo:
    """What is running: the settings that lead to it, and a line about each for the person who started it."""

    environment: dict[str, str] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)


def wants_demo(settings: Settings, *, asked: bool | None) -> bool:
    """Whether stand-ins are to be used: as asked, else in development. Production refuses them."""
    if asked and settings.is_production:
        raise Failure("--demo is refused in production: anybody could sign in as anybody.", "Leave --demo out.")
    return not settings.is_production if asked is None else asked
