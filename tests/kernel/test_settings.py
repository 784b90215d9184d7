"""Settings: what is read, what is refused and how it is told, what production does not accept, no secret shown."""

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from tenantry.kernel.settings import Settings
from tenantry.kernel.settings_check import check_settings
from tenantry.kernel.settings_errors import SettingsRefused
from tenantry.product import Finding

KEY = "k" * 32
SECRET = "hunter2secret"


def refused(env: Mapping[str, str]) -> list[Finding]:
    with pytest.raises(SettingsRefused) as caught:
        Settings.load(env)
    return list(caught.value.findings)


def test_an_empty_environment_is_a_development_machine_on_sqlite() -> None:
    settings = Settings.load({})
    assert settings == Settings()
    assert (settings.environment, settings.is_production) == ("development", False)
    assert (settings.database_kind, settings.sqlite_path) == ("sqlite", Path("var/tenantry.db"))
    assert (settings.public_url, settings.trusted_proxies, settings.allowed_origins) == ("http://127.0.0.1:8000", 0, ())
    assert check_settings(settings) == []


def test_every_setting_is_read_from_its_name() -> None:
    settings = Settings.load(
        {
            "TENANTRY_PORT": "9000",
            "TENANTRY_WORKERS": "4",
            "TENANTRY_PUBLIC_URL": " https://App.Example.com:443/ ",
            "TENANTRY_ALLOWED_ORIGINS": "https://one.example, https://two.example:8443,",
            "TENANTRY_SECRET_KEYS": f"{KEY},old-{KEY}",
            "TENANTRY_STRIPE_WEBHOOK_SECRET": "whsec_new, whsec_old",
            "TENANTRY_GOOGLE_CLIENT_ID": "id",
            "TENANTRY_GOOGLE_CLIENT_SECRET": " secret\n",
            "TENANTRY_OPENAI_BASE_URL": "http://127.0.0.1:9999/v1/",
            "TENANTRY_POOL_TIMEOUT_SECONDS": "2.5",
            "TENANTRY_MAIL_FROM": "Coinlens <mail@example.com>",
            "TENANTRY_SMTP_URL": "smtps://user:pw@mail.example.com:465",
        }
    )
    assert (settings.port, settings.workers, settings.pool_timeout_seconds) == (9000, 4, 2.5)
    assert settings.public_url == "https://app.example.com"
    assert settings.allowed_origins == ("https://one.example", "https://two.example:8443")
    assert [key.get_secret_value() for key in settings.secret_keys] == [KEY, f"old-{KEY}"]
    assert [key.get_secret_value() for key in settings.stripe_webhook_secret] == ["whsec_new", "whsec_old"]
    assert settings.google_client_secret == SecretStr("secret")
    assert settings.openai_base_url == "http://127.0.0.1:9999/v1"
    assert settings.smtp_url == SecretStr("smtps://user:pw@mail.example.com:465")


def test_the_process_environment_is_read_by_load_and_by_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANTRY_PORT", "9001")
    assert Settings.load().port == 9001
    assert Settings().port == 8000


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_plain_database_url_stands_in_and_every_spelling_becomes_one(scheme: str) -> None:
    plain = {"DATABASE_URL": f"{scheme}://me:pw@localhost:5433/app"}
    settings = Settings.load(plain)
    assert settings.database_url == "postgresql://me:pw@localhost:5433/app"
    assert (settings.database_kind, settings.sqlite_path) == ("postgresql", None)
    ours = Settings.load({**plain, "TENANTRY_DATABASE_URL": "sqlite:////srv/app.db"})
    assert ours.sqlite_path == Path("/srv/app.db")
    assert Settings.load({**plain, "TENANTRY_DATABASE_URL": " "}).database_kind == "postgresql"


def test_settings_are_frozen() -> None:
    settings: Any = Settings()
    with pytest.raises(ValidationError):
        settings.port = 1


def test_the_public_address_of_a_development_machine_follows_host_and_port() -> None:
    assert Settings(host="0.0.0.0", port=9000).public_url == "http://127.0.0.1:9000"
    assert Settings(host="::1", port=9000).public_url == "http://[::1]:9000"


def test_everything_unreadable_is_told_at_once() -> None:
    findings = refused(
        {
            "TENANTRY_PORT": "eighty",
            "TENANTRY_WORKERS": "0",
            "TENANTRY_ENVIRONMENT": "prod",
            "TENANTRY_PROT": "80",
            "TENANTRY_GOOGLE_CLIENTID": "x",
            "TENANTRY_XYZZY": "x",
            "tenantry_host": "x",
            "TENANTRY_DATABASE_URL": "mysql://localhost/app",
            "TENANTRY_ALLOWED_ORIGINS": "https://one.example,two.example",
            "UNRELATED": "x",
        }
    )
    assert {finding.level for finding in findings} == {"error"}
    told = {finding.where: f"{finding.problem} {finding.fix}" for finding in findings}
    assert told == {
        "TENANTRY_PORT": "'eighty' cannot be used. Write a whole number.",
        "TENANTRY_WORKERS": "'0' cannot be used. Write 1 or more.",
        "TENANTRY_ENVIRONMENT": "'prod' cannot be used. Use 'development' or 'production'.",
        "TENANTRY_PROT": "There is no such setting. Did you mean TENANTRY_PORT?",
        "TENANTRY_GOOGLE_CLIENTID": "There is no such setting. Did you mean TENANTRY_GOOGLE_CLIENT_ID?",
        "TENANTRY_XYZZY": "There is no such setting. Remove it; docs/settings.md lists the settings.",
        "tenantry_host": "There is no such setting. Did you mean TENANTRY_HOST?",
        "TENANTRY_DATABASE_URL": "The value cannot be used. "
        "The address of a database begins with postgresql:// or sqlite:///.",
        "TENANTRY_ALLOWED_ORIGINS": "The value cannot be used. The address cannot be read. Characters such as @ : / ? "
        "# in a user name or password must be percent-encoded, for example %40 for @.",
    }  # fmt: skip


def test_what_the_test_tools_read_may_stand_beside_the_settings() -> None:
    env = {"TENANTRY_PG": "wheel", "TENANTRY_PG_BIN": "/usr/lib/postgresql/15/bin"}
    assert Settings.load(env) == Settings.load({})
    assert [finding.where for finding in refused({**env, "TENANTRY_PG_BINS": "x"})] == ["TENANTRY_PG_BINS"]


def test_a_refused_plain_database_url_is_told_under_its_own_name() -> None:
    assert [finding.where for finding in refused({"DATABASE_URL": "mysql://localhost/app"})] == ["DATABASE_URL"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TENANTRY_PORT", "65536", "65535 or less"),
        ("TENANTRY_POOL_MODE", "statement", "'session' or 'transaction'"),
        ("TENANTRY_POOL_TIMEOUT_SECONDS", "soon", "Write a number."),
        ("TENANTRY_STATEMENT_TIMEOUT_SECONDS", "0", "Write a number above 0."),
        ("TENANTRY_TRUSTED_PROXIES", "-1", "Write 0 or more."),
        ("TENANTRY_JOBS_RETENTION_DAYS", "0", "Write 1 or more."),
        ("TENANTRY_DATABASE_URL", "postgresql://localhost", "names no database"),
        ("TENANTRY_DATABASE_URL", "postgresql://localhost/app?sslmode=on", "sslmode is one of"),
        ("TENANTRY_DATABASE_URL", "postgresql://localhost:99999/app", "cannot be read"),
        ("TENANTRY_DATABASE_URL", "sqlite://", "is a file"),
        ("TENANTRY_DATABASE_URL", "sqlite:///:memory:", "is a file"),
        ("TENANTRY_DATABASE_URL", "var/tenantry.db", "cannot be read"),
        ("TENANTRY_PUBLIC_URL", "app.example.com", "cannot be read"),
        ("TENANTRY_PUBLIC_URL", "https://app.example.com/app", "ends after its host and port"),
        ("TENANTRY_PUBLIC_URL", "ftp://app.example.com", "begins with https://"),
        ("TENANTRY_STRIPE_BASE_URL", "https://user:pw@api.example.com", "carries no user"),
        ("TENANTRY_SMTP_URL", "https://mail.example.com", "smtps://"),
        ("TENANTRY_MAIL_FROM", "Coinlens", "name@example.com"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_rule(name: str, value: str, says: str) -> None:
    [finding] = refused({name: value})
    assert finding.where == name
    assert says in finding.fix


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://u:{SECRET}#x@localhost/app",
        f"postgresql://u:{SECRET}/x@localhost/app",
        f"postgresql://u:12/{SECRET}@localhost/app",
        f"postgresql://u:{SECRET}@[localhost/app",
        f"postgresql://u:{SECRET} x@localhost/app",
        f"postgresql://u:{SECRET}\uff03@localhost/app",
        f"mysql://u:{SECRET}@localhost/app",
        f"postgresql://u:{SECRET}@localhost:port/app",
    ],
)
@pytest.mark.parametrize("name", ["TENANTRY_DATABASE_URL", "TENANTRY_SMTP_URL", "DATABASE_URL"])
def test_a_refused_address_never_shows_its_password(name: str, address: str) -> None:
    with pytest.raises(SettingsRefused) as caught:
        Settings.load({name: address})
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert caught.value.__context__ is None
    field: Any = {name.removeprefix("TENANTRY_").lower(): address}
    with pytest.raises(ValidationError) as direct:
        Settings(**field)
    assert SECRET not in str(direct.value) + repr(direct.value)


@given(st.dictionaries(st.sampled_from(Settings.names()), st.text(max_size=40), max_size=5))
def test_whatever_is_set_is_read_or_refused_with_findings(env: dict[str, str]) -> None:
    try:
        settings = Settings.load(env)
    except SettingsRefused as caught:
        findings = list(caught.findings)
    else:
        findings = check_settings(settings)
        assert all(finding.where in Settings.names() for finding in findings)
        return
    assert findings
