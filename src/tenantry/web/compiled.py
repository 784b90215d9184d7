"""Compiled templates, kept as long as the process lives."""

from functools import cache
from types import CodeType

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket


class CompiledTemplates(BytecodeCache):
    """The templates of one language, compiled once however many applications a process makes (tests make thousands).

    They are known by their bytes: a file that has changed is compiled anew.
    """

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._codes[bucket.key, bucket.checksum] = bucket.code


@cache
def compiled_templates(_locale: str) -> CompiledTemplates:
    """One a language: the compiler already applies filters to constants, and ours write numbers and dates in it."""
    return CompiledTemplates()
