"""Figures that rooms add to `/metrics`: read when somebody looks, kept by whoever counts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

import msgspec
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector


class Figure(msgspec.Struct, frozen=True):
    """One figure. `name` begins with the product's or the room's word and ends with the unit, without "_total".

    A "counter" only ever grows while the process runs; a "gauge" goes up and down. All figures of one name have the
    same `help`, kind and names of labels; labels have few values, never an id or a symbol.
    """

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = {}
    kind: Literal["counter", "gauge"] = "gauge"


class ReadFigures(Collector):
    """Asks for figures at each look."""

    def __init__(self, read: Callable[[], Iterable[Figure]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for figure in self._read():
            family = families.get(figure.name)
            if family is None:
                make = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
                family = families[figure.name] = make(figure.name, figure.help, labels=list(figure.labels))
            family.add_metric(list(figure.labels.values()), figure.value)
        yield from families.values()
