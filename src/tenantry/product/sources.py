"""The data a product offers to its customers."""

from dataclasses import KW_ONLY, dataclass
from typing import Literal

from .shapes import must_be_text


@dataclass(frozen=True, slots=True)
class DataSource:
    """One source of data, as the dashboard lists it.

    - `name`, `description`: as shown to people.
    - `key`: its name in addresses and counts, lower case ("binance-prices"); it never changes.
    - `availability`: the name of the cheapest plan that may call it; the plans declared after that one may too.
    - `status`: "active", or "planned": a planned source can be called by nobody.
    - `adapter`: what fetches the data; an active source needs one.
    """

    name: str
    _: KW_ONLY
    key: str
    description: str
    availability: str
    status: Literal["active", "planned"]
    adapter: object | None = None

    def __post_init__(self) -> None:
        must_be_text(self, "name", "key", "description", "availability", "status")
