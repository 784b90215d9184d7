"""Notebooks and the notes in them."""

from pathlib import Path

from tenantry import Module
from tenantry.kernel.module import Panel

from .api import router
from .models import Notebooks, Notes
from .panel import newest

HERE = Path(__file__).parent

JOTTER = Module(
    "jotter",
    routers=[router],
    panels=[Panel("jotter", "jotter/panel.html", newest)],
    tables=[Notebooks, Notes],
    migrations=HERE / "migrations",
    templates=HERE / "templates",
)
