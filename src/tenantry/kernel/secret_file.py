"""The secret key of a development machine, made on first use and kept in a file."""

import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from tenantry.product import Finding

from .settings_errors import SettingsRefused

_CHARACTERS_MIN = 32


def development_secret(path: Path) -> SecretStr:
    """The key in the file at `path`; made, with its folder, when there is none (mode 0600).

    Processes that start at the same moment get the same key. Raises SettingsRefused when the file holds no key.
    For development only: in production TENANTRY_SECRET_KEYS must be set.
    """
    if not path.exists():
        _make(path)
    path.chmod(0o600)
    key = path.read_text(encoding="utf-8").strip()
    if len(key) < _CHARACTERS_MIN:
        raise SettingsRefused(
            [Finding("error", str(path), "The file holds no secret key.", "Delete it, and it is made anew.")]
        )
    return SecretStr(key)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    try:
        # A link appears with its whole content, and fails if another process was first.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
