"""What the running application is made of. Built once by the composition root, found on `app.state.runtime`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from tenantry.product import Product

from .clock import Clock
from .context import Handler, Resolver
from .crypto import Vault
from .database.sessions import Sessions
from .database.sqlite import SqliteDatabase
from .health import Metrics
from .module import Job, Module
from .settings import Settings

if TYPE_CHECKING:
    from .database.postgres import PostgresDatabase

Port = TypeVar("Port")
# A name only at run time: PostgreSQL's driver is not loaded for an SQLite file.
Database: TypeAlias = "PostgresDatabase | SqliteDatabase"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Runtime:
    """Frozen; the databases are opened and closed by the application's lifespan."""

    product: Product
    settings: Settings
    clock: Clock
    vault: Vault
    metrics: Metrics
    api: "Database"
    """The API login: may become `anon` or `authenticated` only, and owns nothing."""
    service: "Database"
    """The service login."""
    modules: Sequence[Module]
    resolvers: Sequence[Resolver] = ()
    handlers: Mapping[type, Sequence[Handler]] = field(default_factory=dict)
    ports: Mapping[type, Any] = field(default_factory=dict)
    jobs: Mapping[str, Job] = field(default_factory=dict)
    rights: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The names of the permissions that come with a role: "owner", "admin", "member", "person", "operator"."""
    sessions: Sessions = field(default_factory=Sessions)
    planned: dict[str, int] = field(default_factory=dict)
    """The slot of each periodic job that this process has written already; saves a write per tick."""

    def port(self, protocol: type[Port]) -> Port:
        """What was built for a protocol; a missing one is a mistake in the composition."""
        try:
            found: Port = self.ports[protocol]
        except KeyError:
            msg = f"nothing was built for {protocol.__name__}; the composition root must hand it in"
            raise LookupError(msg) from None
        return found
