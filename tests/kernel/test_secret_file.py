"""The secret key of a development machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from tenantry.kernel.secret_file import development_secret
from tenantry.kernel.settings import Settings
from tenantry.kernel.settings_check import check_settings
from tenantry.kernel.settings_errors import SettingsRefused


def test_the_development_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret_key"
    key = development_secret(path)
    assert len(key.get_secret_value()) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
    path.chmod(0o644)
    assert development_secret(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert check_settings(Settings(secret_keys=(key,))) == []


def test_processes_that_start_together_get_one_development_key(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret_key"
    program = (
        "import sys, pathlib; from tenantry.kernel.secret_file import development_secret;"
        "print(development_secret(pathlib.Path(sys.argv[1])).get_secret_value())"
    )
    command = [sys.executable, "-c", program, str(path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    keys = {process.communicate()[0].strip() for process in started}
    assert keys == {path.read_text().strip()}


def test_a_key_file_without_a_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    path.write_text("short")
    with pytest.raises(SettingsRefused, match="Delete it"):
        development_secret(path)
