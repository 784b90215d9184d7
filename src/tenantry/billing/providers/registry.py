"""The providers of a running product, as far as their credentials are set."""

from collections.abc import Iterator, Mapping

from ..errors import ProviderUnconfigured
from ..snapshots import ProviderName
from .base import BillingProvider


class BillingProviders:
    """The declared providers that are configured, in declared order. Belongs to one event loop."""

    def __init__(self, providers: Mapping[ProviderName, BillingProvider]) -> None:
        self._providers = dict(providers)

    async def open(self) -> None:
        """Nothing: each opens at its first question, since most processes never ask one."""

    async def aclose(self) -> None:
        """Close every provider's connections."""
        for one in self._providers.values():
            await one.aclose()

    def get(self, name: str) -> BillingProvider | None:
        """The provider of that name; None when it is not declared, or not configured."""
        return next((one for key, one in self._providers.items() if key == name), None)

    @property
    def primary(self) -> BillingProvider:
        """Who takes new subscriptions. Raises `ProviderUnconfigured` (503) when nobody does."""
        for one in self._providers.values():
            return one
        raise ProviderUnconfigured

    def __iter__(self) -> Iterator[BillingProvider]:
        return iter(self._providers.values())
