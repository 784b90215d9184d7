"""What trials plug in."""

from tenantry.kernel import Module

from . import models as models  # noqa: PLC0414 - its tables are known as soon as the room is plugged in

MODULE = Module("trials")
