"""`Idempotency-Key`: a POST that creates, repeated, answers what it answered first and creates nothing again."""

from .claims import claimed, settling
from .layer import LEASE, PROBLEMS, creates, forget_keys, is_creating, remember_answers

__all__ = ["LEASE", "PROBLEMS", "claimed", "creates", "forget_keys", "is_creating", "remember_answers", "settling"]
