"""What a room plugs into the application: one `Module` in its `module.py`, read by `app` only."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Request

from tenantry.product import Finding, Product

from .context import Context, Handler, Resolver
from .database.revision import History
from .permissions import Permission

if TYPE_CHECKING:
    from .figures import Figure
    from .runtime import Runtime
    from .settings import Settings

JobRun = Callable[[Context, dict[str, Any]], Awaitable[None]]
PanelData = Callable[[Context, Request], Awaitable[dict[str, Any]]]
Figures = Callable[["Runtime"], Iterable["Figure"]]
Loop = Callable[["Runtime", asyncio.Event], Coroutine[Any, Any, None]]
"""Work beside the jobs, until the event is set: for what must not wait until a job is planned."""
Check = Callable[[Product, "Settings"], Sequence[Finding]]


@dataclass(frozen=True, slots=True)
class Job:
    """Background work: `run(ctx, payload)` with a context that has no open unit. `every` makes it periodic.

    `lasts`: how long it may go on, where that is longer than a worker's lease; None: within one.
    """

    name: str
    run: JobRun
    every: timedelta | None = None
    attempts: int = 8
    lasts: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """A card on the dashboard, or a section of the settings: its template and where its values come from."""

    name: str
    template: str
    values: PanelData
    order: int = 50
    place: Literal["dashboard", "settings"] = "dashboard"


@dataclass(frozen=True, slots=True)
class NavItem:
    """A link in the navigation; `icon` is a name of `icons.html`, shown beside it to who is signed in.

    `group`: the heading that it stands below. `permission`: it is shown to who has that right only. `room`: it is shown
    where the product has that room. `is_exact`: it is not the link of the pages below its path.
    """

    label: str
    path: str
    order: int = 50
    signed_in: bool = True
    icon: str = "layers"
    group: str = ""
    permission: Permission | None = None
    room: str = ""
    is_exact: bool = False


@dataclass(frozen=True, slots=True)
class Export:
    """One part of what a person may take along or have erased: a name and who collects the rows."""

    name: str
    collect: Callable[[Context], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Module:
    """Everything a room adds, ours or an author's.

    `public` names the routes that strangers may call and why; `service` says why the room uses the service login. A
    house test holds both to the code.

    An author's module also names its own `tables` (mapped classes), the folder of their `migrations`, and a folder of
    `templates` for its pages and panels; `docs/your-own-tables.md` shows how. Ours leave them out: their tables are in
    the package's history.
    """

    name: str
    routers: Sequence[APIRouter] = ()
    pages: Sequence[APIRouter] = ()
    panels: Sequence[Panel] = ()
    nav: Sequence[NavItem] = ()
    permissions: Sequence[Permission] = ()
    jobs: Sequence[Job] = ()
    loops: Sequence[Loop] = ()
    handlers: Mapping[type, Handler] = field(default_factory=dict)
    resolvers: Sequence[Resolver] = ()
    checks: Sequence[Check] = ()
    figures: Sequence[Figures] = ()
    exports: Sequence[Export] = ()
    public: Mapping[str, str] = field(default_factory=dict)
    service: Mapping[str, str] = field(default_factory=dict)
    tables: Sequence[type[Any]] = ()
    migrations: Path | None = None
    templates: Path | None = None

    @property
    def history(self) -> History | None:
        """The migrations of the module's own tables; None when it has no folder of them."""
        if self.migrations is None:
            return None
        return History(self.name, Path(self.migrations), frozenset(table.__tablename__ for table in self.tables))


def histories_of(modules: Iterable[object]) -> tuple[History, ...]:
    """The histories of those modules that have tables of their own."""
    found = (one.history for one in modules if isinstance(one, Module))
    return tuple(history for history in found if history is not None)
