"""docs/settings.md is written from the settings: `python tests/house/test_docs_settings.py` writes it anew."""

from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from tenantry.kernel import Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
HEAD = """\
# Settings

Everything that differs between two installations comes from the environment, is read once at start, and never
changes while the server runs. An empty variable counts as unset. Lists are separated by commas. A `TENANTRY_` name
that is not in this table stops the server, with the nearest name as advice; so does a value that cannot be, and in
production (`TENANTRY_ENVIRONMENT=production`) one that is unsafe. `tenantry check` tells all of it without starting.

Database addresses are `postgresql://login:password@host:port/name?sslmode=verify-full` (also spelled `postgres://`)
or `sqlite:///path/to/file`. Characters such as `@ : / ? #` in a password are percent-encoded. In production a
PostgreSQL address needs `sslmode=require`, `verify-ca` or `verify-full`, unless the server is on the same machine.

In development a missing `TENANTRY_SECRET_KEYS` is replaced by a key made once and kept in `var/secret_key`. That file,
a new SQLite file and the `-wal` and `-shm` files beside it are made for the server's own user alone (mode 0600); the
mode of an SQLite file that exists is left as it is.

`TENANTRY_PG` and `TENANTRY_PG_BIN` are no settings: they tell the test tools where PostgreSQL's programs are.

| Name | Default | Meaning |
|---|---|---|
"""


def default_of(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "`http://` with host and port"
    if field.default in {None, ()}:
        return "unset"
    assert not isinstance(field.default, SecretStr)
    return f"`{field.default}`"


def page() -> str:
    rows = (
        f"| `{name}` | {default_of(field)} | {field.description} |\n"
        for name, field in zip(Settings.names(), Settings.model_fields.values(), strict=True)
    )
    return HEAD + "".join(rows)


def test_every_setting_has_a_meaning_in_a_sentence() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description[0].isupper() or field.description[0] == "`", name
        assert field.description.endswith("."), name
        assert "|" not in field.description, name


def test_the_page_tells_every_setting_as_it_is() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
