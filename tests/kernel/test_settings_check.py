"""What settings may not be: unsafe in production, at odds with each other; and no secret shows in what is told."""

from collections.abc import Mapping

import pytest

from tenantry.kernel.settings import Settings
from tenantry.kernel.settings_check import check_settings
from tenantry.product import Finding

KEY = "k" * 32
SECRET = "hunter2secret"
PRODUCTION = {
    "TENANTRY_ENVIRONMENT": "production",
    "TENANTRY_PUBLIC_URL": "https://app.example.com",
    "TENANTRY_TRUSTED_PROXIES": "1",
    "TENANTRY_SECRET_KEYS": KEY,
    "TENANTRY_DATABASE_URL": f"postgresql://api:{SECRET}@db.example.com/app?sslmode=verify-full",
    "TENANTRY_SERVICE_URL": f"postgresql://service:{SECRET}@db.example.com/app?sslmode=require",
    "TENANTRY_OWNER_URL": f"postgresql://owner:{SECRET}@db.example.com/app?sslmode=verify-ca",
}


def checked(changed: Mapping[str, str | None]) -> list[Finding]:
    env = {name: value for name, value in {**PRODUCTION, **changed}.items() if value is not None}
    return check_settings(Settings.load(env))


def test_a_safe_production_has_no_findings() -> None:
    assert checked({}) == []


UNSAFE: list[tuple[str, dict[str, str | None], str]] = [
    ("PUBLIC_URL", {"PUBLIC_URL": "http://app.example.com"}, "plain text"),
    ("PUBLIC_URL", {"PUBLIC_URL": None}, "unset"),
    ("SECRET_KEYS", {"SECRET_KEYS": None}, "no secret key"),
    ("SECRET_KEYS", {"SECRET_KEYS": f"{KEY},{'s' * 31}"}, "Key 2 of the list has fewer than 32"),
    ("SECRET_KEYS", {"SECRET_KEYS": f"{KEY},{KEY}"}, "listed twice"),
    ("DATABASE_URL", {"DATABASE_URL": "postgresql://api@db.example.com/app"}, "not encrypted"),
    ("DATABASE_URL", {"DATABASE_URL": "postgresql://api@db.example.com/app?sslmode=prefer"}, "not encrypted"),
    ("DATABASE_URL", {"DATABASE_URL": "postgresql://api@localhost,db.example.com/app"}, "not encrypted"),
    ("DATABASE_URL", {"DATABASE_URL": "postgresql://api@localhost/app?host=db.example.com"}, "not encrypted"),
    ("OWNER_URL", {"OWNER_URL": "postgresql://owner@db.example.com/app?sslmode=disable"}, "not encrypted"),
    ("DIRECT_URL", {"DIRECT_URL": "postgresql://x@db.example.com/app"}, "not encrypted"),
    ("SERVICE_URL", {"SERVICE_URL": None}, "unset"),
    ("SERVICE_URL", {"SERVICE_URL": "postgresql://api:other@localhost/app"}, "same login as TENANTRY_DATABASE_URL"),
    ("OWNER_URL", {"OWNER_URL": "postgresql://localhost/app?user=api"}, "same login as TENANTRY_DATABASE_URL"),
    ("OWNER_URL", {"OWNER_URL": PRODUCTION["TENANTRY_DATABASE_URL"]}, "same login as TENANTRY_DATABASE_URL"),
    ("OWNER_URL", {"OWNER_URL": "postgresql://service@localhost/app"}, "same login as TENANTRY_SERVICE_URL"),
    ("OWNER_URL", {"OWNER_URL": "sqlite:///var/x.db"}, "not an address of postgresql"),
    ("DIRECT_URL", {"POOL_MODE": "transaction"}, "LISTEN"),
    ("ALLOWED_ORIGINS", {"ALLOWED_ORIGINS": "*"}, "Every web site"),
    ("ALLOWED_ORIGINS", {"ALLOWED_ORIGINS": "http://one.example"}, "http://one.example"),
    ("DEMO_ISSUER", {"DEMO_ISSUER": "http://127.0.0.1:9999"}, "as anybody"),
    ("OIDC_ISSUER", {"OIDC_ISSUER": "http://id.example", "OIDC_CLIENT_ID": "i", "OIDC_CLIENT_SECRET": "s"}, "plain"),
    ("STRIPE_BASE_URL", {"STRIPE_BASE_URL": "http://stripe.example"}, "plain text"),
    ("GOOGLE_CLIENT_SECRET", {"GOOGLE_CLIENT_ID": "id"}, "TENANTRY_GOOGLE_CLIENT_ID is set"),
    ("GITHUB_CLIENT_ID", {"GITHUB_CLIENT_SECRET": "s"}, "TENANTRY_GITHUB_CLIENT_SECRET is set"),
    ("MAIL_FROM", {"SMTP_URL": "smtps://mail.example.com"}, "localhost"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "changed", "says"), UNSAFE)
def test_production_refuses(where: str, changed: dict[str, str | None], says: str) -> None:
    [finding] = checked({f"TENANTRY_{name}": value for name, value in changed.items()})
    assert (finding.level, finding.where) == ("error", f"TENANTRY_{where}")
    assert says in f"{finding.problem} {finding.fix}"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://api@localhost/app",
        "postgresql://api@127.0.0.1:5433/app",
        "postgresql://api@[::1]:5433/app",
        "postgresql://api@/app?host=/run/postgresql",
        "postgresql://api@%2Frun%2Fpostgresql/app",
        "postgresql://api@db.example.com/app?sslmode=require",
    ],
)
def test_production_accepts_encrypted_and_local_connections(address: str) -> None:
    assert checked({"TENANTRY_DATABASE_URL": address}) == []


def test_sqlite_in_production_is_a_warning() -> None:
    [finding] = checked(
        {"TENANTRY_DATABASE_URL": None, "TENANTRY_SERVICE_URL": None, "TENANTRY_OWNER_URL": None}
    )  # fmt: skip
    assert (finding.level, finding.where) == ("warning", "TENANTRY_DATABASE_URL")


def test_no_proxy_before_https_is_a_warning() -> None:
    [finding] = checked({"TENANTRY_TRUSTED_PROXIES": None})
    assert (finding.level, finding.where) == ("warning", "TENANTRY_TRUSTED_PROXIES")


def test_development_accepts_what_is_only_unsafe() -> None:
    settings = Settings.load(
        {
            "TENANTRY_DATABASE_URL": "postgresql://me@db.example.com/app",
            "TENANTRY_DEMO_ISSUER": "http://127.0.0.1:9999",
            "TENANTRY_ALLOWED_ORIGINS": "*",
            "TENANTRY_STRIPE_BASE_URL": "http://stripe.example",
        }
    )
    assert check_settings(settings) == []


def test_no_secret_shows_in_the_settings_or_in_a_finding() -> None:
    secrets = ("_SECRET", "_SECRET_KEYS", "_API_KEY", "_ACCESS_TOKEN")
    env = {name: f"{SECRET}," for name in Settings.names() if name.endswith(secrets)}
    env["TENANTRY_SECRET_KEYS"] = f"{SECRET},{SECRET}"
    for name in ("DATABASE", "SERVICE", "OWNER", "DIRECT"):
        env[f"TENANTRY_{name}_URL"] = f"postgresql://me:{SECRET}@db.example.com/app?password={SECRET}"
    env["TENANTRY_SMTP_URL"] = f"smtp://me:{SECRET}@mail.example.com"
    env["TENANTRY_STORAGE_URL"] = f"s3://key:{SECRET}@storage.example.com/bucket"
    settings = Settings.load({**env, "TENANTRY_ENVIRONMENT": "production"})
    findings = check_settings(settings)
    assert len(findings) > 5
    shown = [repr(settings), str(settings), repr(findings), repr([settings.database_url]), repr(dict(settings))]
    assert SECRET not in "".join(shown)
    assert settings.database_url.count(SECRET) == 2
