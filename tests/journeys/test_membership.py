"""The token membership as a person goes through it: sign up, buy, spend tokens, invite somebody, be shut out."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from journeys.selling import Sale, selling
from journeys.test_admin import promote

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture
def sale(database, tmp_path) -> Iterator[Sale]:
    with selling(database, tmp_path, "token_membership") as running:
        yield running


def sign_in(tab, name):
    tab.click("link", re.compile("demo", re.IGNORECASE))
    tab.click("link", re.compile(name))


def says(tab, *texts, path=None):
    if path is not None:
        tab.page.goto(path)
    for text in texts:
        expect(tab.page.locator("main")).to_contain_text(text)


@pytest.mark.parametrize(
    ("database_kind", "scripts"), [("sqlite", True), ("postgresql", False)], indirect=["database_kind"]
)
def test_from_the_sign_up_to_the_ban(sale, browse, scripts):
    looks = ({}, {"dark": True}, {"phone": True})
    ada, grace, operator = (browse(sale.server, scripts=scripts, **look) for look in looks)
    fit = ada.__class__.fits if scripts else str  # the checker is a script
    operator.page.goto("/signin?return_to=/admin")
    sign_in(operator, "Margaret Hamilton")
    promote(sale.database)  # nobody else is there yet

    says(ada, "$12", "500 tokens with every period", "1,000 tokens", path="/pricing")
    fit(ada)
    ada.click("link", "Choose Premium")
    sign_in(ada, "Ada Lovelace")
    expect(ada.page).to_have_url(re.compile("/pricing$"))
    fit(ada)
    ada.click("button", "Choose Premium")
    ada.click("button", "Pay 12.00 USD")
    says(ada, "Premium is active")
    sale.carry(shuffled=1, times=2)
    sale.settle()
    says(ada, re.compile(r"Plan\s*Premium"), re.compile(r"Balance\s*510"), path="/dashboard")
    fit(ada)
    found = ada.page.request.get("/v1/me").json()
    assert [found[name] for name in ("role", "membership_status", "tokens")] == ["PREMIUM", "ACTIVE", 510]
    spend(ada, sale, fit)
    invite(ada, grace, fit)
    shut_out(operator, fit)

    # Ada is out at the next click, and does not get in again.
    ada.click("link", "Tokens")
    expect(ada.page).to_have_url(re.compile("/signin"))
    sign_in(ada, "Ada Lovelace")
    expect(ada.page.get_by_role("heading", level=1)).to_have_text("This account is blocked")
    fit(ada)
    says(grace, "Ada Lovelace", path="/team")
    # What the browser says of the refusal, and of /admin for who was no operator yet, is all that went wrong.
    assert (grace.faults, ["403" in one for one in ada.faults]) == ([], [True])
    assert ["404" in one for one in operator.faults] == [True]


def spend(tab, sale, fit):
    """Five tokens for a mark, and a hundred more beside the subscription."""
    assert not tab.page.get_by_role("link", name="Usage", exact=True).count()
    drawn = tab.page.request.post("/api/v1/marks", data={"words": "Ada"}, headers={"Origin": sale.server.url})
    assert drawn.status == 201, drawn.text()
    tab.click("link", "Tokens")
    says(tab, re.compile(r"Balance\s*505"), re.compile(r"Spent\s*A mark"))
    fit(tab)
    says(tab, "Active", "$12 a month", path="/billing")
    fit(tab)
    tab.page.get_by_label("Product").select_option(label="100 tokens: $5 once")
    tab.click("button", "Go on to payment")
    tab.click("button", "Pay 5.00 USD")
    sale.carry(shuffled=2, times=2)
    sale.settle()
    says(tab, re.compile(r"Balance\s*605"), path="/credits")


def invite(tab, guest, fit):
    """From one's own organization to another person in it."""
    tab.click("link", "Team")
    tab.page.get_by_label("Name of the organization").fill("Analytical Engines")
    tab.click("button", "Create the organization")
    tab.page.get_by_label("E-mail address").fill("grace@example.com")
    tab.click("button", "Send the invitation")
    says(tab, "The invitation is on its way.")
    fit(tab)
    guest.page.goto("/signin?return_to=/dashboard")
    sign_in(guest, "Grace Hopper")
    says(guest, "You are invited to join Analytical Engines", re.compile(r"Balance\s*10"))
    fit(guest)
    guest.click("link", "Look at the invitation")
    fit(guest)
    guest.click("button", "Join Analytical Engines")
    says(guest, "Welcome. You belong to this organization now.", "2 members")
    fit(guest)


def shut_out(tab, fit):
    """An operator finds the first person, and bans them."""
    tab.page.goto("/admin/users?q=ada")
    main = tab.page.locator("main")
    main.get_by_role("link", name="ada@example.com").click()
    says(tab, re.compile(r"Role\s*Premium"), "Analytical Engines")
    fit(tab)
    main.get_by_role("link", name="Ban", exact=True).click()
    tab.page.get_by_label("Reason").fill("Sold marks of others")
    fit(tab)
    tab.click("button", "Ban")
    says(tab, "They are shut out everywhere.", "Sold marks of others")
    fit(tab)
