"""All SQL of usage: counters, the exchange by which workers take units of them, and what else stands beside them."""

from . import counters, exchange, history, notices, reservations, stocks

__all__ = ["counters", "exchange", "history", "notices", "reservations", "stocks"]
