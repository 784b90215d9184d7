"""Plain type misuse, refused where it is written.

Everything a reader could get wrong in a *value* is a finding of `Product.check()`. Only a value of a type that
cannot even be stored or walked (a number as a name, a word where a Plan belongs) raises, so that the traceback
points at the line of the declaration.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class FrozenMapping(Mapping[K, V]):
    """A mapping that keeps its order, cannot be changed, can be hashed, copied and pickled."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[K, V]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: K) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def settle(owner: object, field: str, value: object) -> None:
    """Store a normalised value in a frozen dataclass; only for its own `__post_init__`."""
    object.__setattr__(owner, field, value)


def must_be_text(owner: object, *fields: str) -> None:
    """Refuse (TypeError) a field that is not a string."""
    for field in fields:
        value = getattr(owner, field)
        if not isinstance(value, str):
            raise TypeError(f"{_kind(owner)}: {field} must be a string, not {_kind(value)}")


def must_be(owner: object, field: str, value: object, *kinds: type) -> None:
    """Refuse (TypeError) a value that is an instance of none of `kinds`."""
    if not isinstance(value, kinds):
        wanted = " or ".join("None" if kind is type(None) else kind.__name__ for kind in kinds)
        raise TypeError(f"{_kind(owner)}: {field} must be {wanted}, not {_kind(value)}")


def settle_list(owner: object, field: str, *kinds: type) -> None:
    """Store the list in `field` as a tuple; refuse (TypeError) what is no list or holds other things than `kinds`."""
    value = getattr(owner, field)
    # A lone word is iterable too, and would silently become a list of its letters.
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise TypeError(f"{_kind(owner)}: {field} must be a list, not {_kind(value)}")
    items = tuple(value)
    for index, item in enumerate(items):
        must_be(owner, f"{field}[{index}]", item, *kinds)
    settle(owner, field, items)


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__
