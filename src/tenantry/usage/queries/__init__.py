"""All SQL of usage: the counters, and the exchange by which workers take units of them."""

from . import counters, exchange

__all__ = ["counters", "exchange"]
