"""What is said about the ways in before the server starts, and what production does differently."""

import pytest

from tenantry import GitHub, Google, OpenIDConnect
from tenantry.identity import sign_in_providers
from tenantry.identity.checks import check_sign_in
from tenantry.kernel import Settings
from tenantry.kernel.clock import SystemClock
from tenantry.product import MagicLink, Passkey, Password

OIDC = {"oidc_issuer": "https://id.example.com", "oidc_client_id": "o", "oidc_client_secret": "s"}


def settings_of(**values):
    return Settings(**{"demo_issuer": "http://127.0.0.1:9", **values})


@pytest.mark.parametrize(("environment", "level"), [("development", "warning"), ("production", "error")])
def test_a_way_in_without_credentials(product_of, environment, level):
    product = product_of(sign_in=[Google(), GitHub(), OpenIDConnect()])
    settings = settings_of(environment=environment, github_client_id="x", github_client_secret="y")
    findings = check_sign_in(product, settings)
    assert [(one.level, one.where) for one in findings] == [(level, "sign_in[0]"), (level, "sign_in[2]")]
    assert "TENANTRY_GOOGLE_CLIENT_ID, TENANTRY_GOOGLE_CLIENT_SECRET are unset" in findings[0].problem


def test_one_setting_short(product_of):
    findings = check_sign_in(product_of(), settings_of(google_client_id="x"))
    assert findings[0].problem == "Nobody can sign in with Google: TENANTRY_GOOGLE_CLIENT_SECRET is unset."


@pytest.mark.parametrize("name", ["google", "github", "demo"])
def test_a_name_that_is_taken(product_of, name):
    findings = check_sign_in(product_of(sign_in=[OpenIDConnect(name)]), settings_of(**OIDC))
    assert [(one.level, one.where) for one in findings] == [("error", "sign_in[0].name")]


def test_two_with_the_same_settings(product_of):
    product = product_of(sign_in=[OpenIDConnect("one"), OpenIDConnect("two")])
    assert [(one.level, one.where) for one in check_sign_in(product, settings_of(**OIDC))] == [("error", "sign_in[1]")]


def test_all_is_well(product_of):
    settings = settings_of(google_client_id="x", google_client_secret="y")
    assert check_sign_in(product_of(), settings) == []


def test_production_has_no_demo(product_of):
    names = {
        environment: [one.name for one in sign_in_providers(
            product_of(sign_in=[OpenIDConnect("sso")]), settings_of(environment=environment, **OIDC), SystemClock()
        ).all]
        for environment in ("development", "production")
    }  # fmt: skip
    assert names == {"development": ["sso", "demo"], "production": ["sso"]}


@pytest.mark.parametrize("way", [Password(), MagicLink()])
def test_production_can_send_the_mail_a_way_in_needs(way, product_of):
    product = product_of(sign_in=[way])
    assert check_sign_in(product, settings_of()) == []
    found = check_sign_in(product, settings_of(environment="production"))
    assert [(one.level, one.where) for one in found] == [("error", "sign_in[0]")]
    assert "TENANTRY_SMTP_URL" in found[0].problem
    assert check_sign_in(product, settings_of(environment="production", smtp_url="smtps://mail.example.com")) == []


@pytest.mark.parametrize(
    ("address", "is_name"),
    [
        ("https://app.example.com", True),
        ("http://localhost:8000", True),
        ("http://127.0.0.1:8000", False),
        ("http://[::1]:8000", False),
    ],
)
@pytest.mark.parametrize(("environment", "level"), [("development", "warning"), ("production", "error")])
def test_passkeys_are_for_names(product_of, address, is_name, environment, level):
    product = product_of(sign_in=[Passkey()])
    found = check_sign_in(product, settings_of(public_url=address, environment=environment))
    assert [(one.level, one.where) for one in found] == ([] if is_name else [(level, "sign_in[0]")])
