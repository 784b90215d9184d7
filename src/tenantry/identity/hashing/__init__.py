"""Passwords as slow hashes: argon2id for ours, and the forms that other systems leave behind."""

from .choosing import PasswordWeak, refuse_weak
from .passwords import PASSWORD_CHARACTERS_MAX, HashingBusy, PasswordHashing

__all__ = ["PASSWORD_CHARACTERS_MAX", "HashingBusy", "PasswordHashing", "PasswordWeak", "refuse_weak"]
