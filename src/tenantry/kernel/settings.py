"""Secrets, addresses and numbers of one installation: read once, frozen, passed down."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from .addresses import (
    Address,
    database_address,
    is_postgresql,
    mail_address,
    origin,
    sender,
    storage_address,
    web_address,
)
from .settings_errors import SettingsRefused, findings_of, unknown_names

PREFIX = "TENANTRY_"
OF_TOOLS = ("TENANTRY_PG", "TENANTRY_PG_BIN")
"""Read by the test tools (`tenantry.testing.postgres`), no settings: they may stand beside them."""


def _split_commas(value: object) -> object:
    return [part for each in value.split(",") if (part := each.strip())] if isinstance(value, str) else value


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _origin_or_any(value: str) -> str:
    return value if value == "*" else origin(value)


def _checked(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(lambda secret: SecretStr(check(secret.get_secret_value())))


def _own_address(read: dict[str, Any]) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(read["host"], read["host"])  # noqa: S104 - replaced, not bound
    return f"http://[{host}]:{read['port']}" if ":" in host else f"http://{host}:{read['port']}"


Database = Annotated[str, AfterValidator(database_address)]
Web = Annotated[str, AfterValidator(web_address)]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin_or_any)], ...], NoDecode, BeforeValidator(_split_commas)
]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split_commas)]
Secret = Annotated[SecretStr, BeforeValidator(_stripped)]
Days = Annotated[int, Field(ge=1, le=36500)]


class Settings(BaseSettings):
    """Everything that differs between two installations of one product.

    `Settings.load()` reads the environment; the constructor reads nothing but its arguments, so that a test never
    depends on the machine it runs on. Lists are tuples. No secret shows in a `repr` or in an error. What is unsafe
    together, or unsafe in production, `check_settings` tells.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    environment: Literal["development", "production"] = Field(
        default="development", description="`development` or `production`. Production refuses what is unsafe."
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="Address the server listens on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port the server listens on.")
    workers: int = Field(default=1, ge=1, le=512, description="Number of server processes.")
    public_url: Annotated[str, AfterValidator(origin)] = Field(
        default_factory=_own_address, description="Origin customers see, such as `https://app.example.com`."
    )
    trusted_proxies: int = Field(
        default=0, ge=0, le=16, description="How many proxies of your own stand in front and add to X-Forwarded-For."
    )
    allowed_origins: Origins = Field(
        default=(), description="Other web origins whose pages may send changes with the session's cookie; a list."
    )
    secret_keys: Secrets = Field(
        default=(), description="Keys of 32 characters or more; the first signs and seals, all can still read; a list."
    )

    database_url: Database = Field(
        default=Address("sqlite:///var/tenantry.db"),
        description="Database of the API login. `DATABASE_URL` is read when this is unset.",
    )
    service_url: Database | None = Field(
        default=None, description="The same database for the service login (PostgreSQL)."
    )
    owner_url: Database | None = Field(
        default=None, description="The same database for its owner: migrations, maintenance."
    )
    direct_url: Database | None = Field(
        default=None, description="The service login past the pooler, for LISTEN. Unset: `TENANTRY_SERVICE_URL`."
    )
    pool_mode: Literal["session", "transaction"] = Field(
        default="session",
        description="`transaction` when a pooler such as PgBouncer hands out connections per transaction.",
    )
    pool_size: int = Field(default=10, ge=1, le=1000, description="Most connections of one login in one process.")
    pool_timeout_seconds: float = Field(
        default=10.0, gt=0, le=600, description="How long a request waits for a connection."
    )
    statement_timeout_seconds: float = Field(default=60.0, gt=0, le=3600, description="How long one statement may run.")
    connect_retries: int = Field(
        default=5, ge=0, le=100, description="How often a first connection is tried again at start."
    )

    sessions_retention_days: Days = Field(default=30, description="How long an ended session is kept.")
    usage_retention_days: Days = Field(default=400, description="How long an ended usage window is kept.")
    calls_retention_days: Days = Field(
        default=30, description="How long an entry of the call log is kept. Not used yet."
    )
    jobs_retention_days: Days = Field(
        default=14, description="How long a done job or a sent mail is kept. A dead job stays until it is replayed."
    )

    mail_from: Annotated[str, AfterValidator(sender)] = Field(
        default="Tenantry <tenantry@localhost>", description="Sender of mails: `Name <name@example.com>`."
    )
    smtp_url: Annotated[SecretStr, _checked(mail_address)] | None = Field(
        default=None, description="Mail server, `smtps://user:password@host:465` or `smtp://` with STARTTLS."
    )
    storage_url: Annotated[SecretStr, _checked(storage_address)] | None = Field(
        default=None, description="Object store for files; unset: a folder beside the database. Not used yet."
    )

    google_client_id: str | None = Field(default=None, description="Client id of sign-in with Google.")
    google_client_secret: Secret | None = Field(default=None, description="Its secret.")
    github_client_id: str | None = Field(default=None, description="Client id of sign-in with GitHub.")
    github_client_secret: Secret | None = Field(default=None, description="Its secret.")
    github_base_url: Web = Field(
        default="https://github.com", description="Where GitHub is; another one for a GitHub Enterprise Server."
    )
    oidc_issuer: Web | None = Field(default=None, description="Issuer of sign-in with OpenID Connect.")
    oidc_client_id: str | None = Field(default=None, description="Client id at that issuer.")
    oidc_client_secret: Secret | None = Field(default=None, description="Its secret.")
    demo_issuer: Web | None = Field(
        default=None, description="Address of a stand-in identity provider on this machine; development only."
    )

    demo_billing: Web | None = Field(
        default=None, description="Address of a stand-in payment provider on this machine; development only."
    )
    stripe_api_key: Secret | None = Field(
        default=None, description="Key of the Stripe API, live or test; see docs/billing.md."
    )
    stripe_webhook_secret: Secrets = Field(
        default=(), description="Signing secrets of Stripe's webhooks, the old one too while it is replaced; a list."
    )
    stripe_base_url: Web = Field(default="https://api.stripe.com", description="Where the Stripe API is.")
    polar_access_token: Secret | None = Field(default=None, description="Token of the Polar API; see docs/billing.md.")
    polar_webhook_secret: Secrets = Field(
        default=(), description="Signing secrets of Polar's webhooks, whole as Polar shows them; a list."
    )
    polar_base_url: Web = Field(
        default="https://api.polar.sh", description="Where the Polar API is; the sandbox is at another address."
    )
    lemonsqueezy_api_key: Secret | None = Field(
        default=None, description="Key of the Lemon Squeezy API; see docs/billing.md."
    )
    lemonsqueezy_webhook_secret: Secrets = Field(
        default=(), description="Signing secrets of Lemon Squeezy's webhooks; a list."
    )
    lemonsqueezy_base_url: Web = Field(
        default="https://api.lemonsqueezy.com", description="Where the Lemon Squeezy API is."
    )

    binance_base_url: Web = Field(
        default="https://data-api.binance.vision", description="Where Binance's market data is."
    )
    openai_api_key: Secret | None = Field(
        default=None, description="Key of the OpenAI API, or of one compatible with it. Not used yet."
    )
    openai_base_url: Web = Field(default="https://api.openai.com/v1", description="Where that API is. Not used yet.")
    anthropic_api_key: Secret | None = Field(default=None, description="Key of the Anthropic API. Not used yet.")
    anthropic_base_url: Web = Field(
        default="https://api.anthropic.com", description="Where the Anthropic API is. Not used yet."
    )

    @classmethod
    def load(cls, env: Mapping[str, str] | None = None) -> Self:
        """Read the settings from an environment (without one: from the process's own).

        An empty variable is an unset one. `DATABASE_URL` stands in for an unset TENANTRY_DATABASE_URL. Raises
        SettingsRefused with everything that is wrong: a TENANTRY_ name that does not exist, a value that cannot be.
        """
        env = {name: value for name, value in (os.environ if env is None else env).items() if value.strip()}
        names = {field: f"{PREFIX}{field.upper()}" for field in cls.model_fields}
        if names["database_url"] not in env and (plain := env.get("DATABASE_URL")):
            env[names["database_url"]] = plain
            names["database_url"] = "DATABASE_URL"
        findings = unknown_names(env.keys() - set(OF_TOOLS), PREFIX, cls.names())
        try:
            settings = cls(**cls._values(env))
        except ValidationError as refused:
            settings = None
            findings += findings_of(refused, names)
        if settings is None or findings:
            # Raised out here, so that pydantic's error, which holds the values, does not travel along.
            raise SettingsRefused(findings)
        return settings

    @classmethod
    def names(cls) -> list[str]:
        """The name of every setting in the environment."""
        return [f"{PREFIX}{field.upper()}" for field in cls.model_fields]

    @property
    def database_kind(self) -> Literal["sqlite", "postgresql"]:
        """Which database `database_url` names."""
        return "postgresql" if is_postgresql(self.database_url) else "sqlite"

    @property
    def sqlite_path(self) -> Path | None:
        """The SQLite file, relative to the working directory unless absolute; None on PostgreSQL."""
        return None if is_postgresql(self.database_url) else Path(self.database_url.removeprefix("sqlite:///"))

    @property
    def is_production(self) -> bool:
        """Whether `environment` is production."""
        return self.environment == "production"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only the arguments: the environment is read by `load` alone."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @classmethod
    def _values(cls, env: Mapping[str, str]) -> dict[str, Any]:
        source = EnvSettingsSource(cls)
        source.env_vars = {name.lower(): value for name, value in env.items() if name.isupper()}
        return source()
