"""What organizations are called, whom a mail names, and what a start without mail is told."""

import pytest

from organizations.people import team_product
from tenantry import Settings
from tenantry.app import check
from tenantry.kernel import new_id
from tenantry.organizations.letters import called
from tenantry.organizations.names import masked, name_of_own, organization_name
from tenantry.organizations.rows import Person

GOOD = ("Acme", " Acme Inc. ", "St. Mary's", "Müller & Söhne", "R. & D.", "A/B", "x" * 100)
BAD = ("", " ", "x" * 101, "a\nb", "a\u202eb", "https://x", "WWW.x", "a@b", "evil.example", "go to evil.example/now")


@pytest.mark.parametrize("name", GOOD)
def test_a_name_is_taken_without_its_blanks(name: str) -> None:
    assert organization_name(name) == name.strip()


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_could_be_a_link_or_is_not_seen_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"[A-Z].*\."):
        organization_name(name)


@pytest.mark.parametrize(
    ("name", "email", "own"),
    [
        ("Ada", "ada@example.com", "Ada's team"),
        (None, "ada.lovelace@example.com", "ada lovelace's team"),
        ("evil.example", "ada@example.com", "ada's team"),
        ("x" * 255, "ada@example.com", "x" * 93 + "'s team"),
        (None, "www.a@example.com", "www a's team"),
    ],
)
def test_what_somebody_begins_in_is_called_by_a_name_that_is_allowed(name: str | None, email: str, own: str) -> None:
    assert name_of_own(name, email) == own == organization_name(own)


def test_a_mail_names_the_address_and_no_name_that_could_be_a_link() -> None:
    people = [Person(new_id(), name, "ada@example.com", True) for name in ("Ada", "evil.example", None)]
    assert [called(one) for one in people] == ["Ada (ada@example.com)", "ada@example.com", "ada@example.com"]
    assert masked("ada@example.com") == "a***@example.com"


def test_in_production_there_is_somebody_who_sends_the_invitations() -> None:
    found = {}
    for smtp in (None, "smtps://mail.example.com"):
        settings = Settings(environment="production", smtp_url=smtp)
        found[smtp] = [one for one in check(team_product(), settings) if one.where == "organizations"]
    assert [len(one) for one in found.values()] == [1, 0]
    assert "TENANTRY_SMTP_URL" in found[None][0].problem
