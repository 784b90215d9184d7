"""Who lost the second factor and the codes gets in again with the help of whoever runs the product, and nobody else."""

import pytest

from identity.authenticator import Device
from identity.mailbox import mailbox
from identity.operator_steps import as_operator, entries, known
from identity.second_factors import App, is_signed_in
from tenantry import Google, MagicLink, Passkey
from tenantry.identity.errors import FactorNotFound, LastWayIn, ReasonMissing, UserNotFound
from tenantry.identity.operating import forget_factors
from tenantry.kernel.problems import Forbidden

EMAIL = "ada@example.com"


@pytest.fixture
async def kit(start, product_of):
    return await start(product_of(sign_in=[Google(), MagicLink(), Passkey()]))


async def test_who_lost_everything_signs_in_again(kit):
    ((ada, _),) = await known(kit, "ada")
    app = await App.of(kit, ada)
    await Device().register(ada)
    had = await forget_factors(kit.system, EMAIL, reason="they called, and named their last invoice")
    assert (had.totp, had.passkeys, had.recovery_codes) == (1, 1, len(app.recovery_codes))
    assert not await is_signed_in(ada)
    assert (await mailbox(kit, EMAIL))[-1].subject == "Your second factors were removed"
    again = await kit.sign_in("ada")
    left = (await again.get("/v1/me/second-factors")).json()
    assert left == {"totp": False, "passkeys": 0, "recovery_codes_left": 0}
    assert [(entry[0], entry[2]) for entry in await entries(kit, "second_factor.forgotten")] == [
        ("system", "they called, and named their last invoice")
    ]


async def test_a_half_that_waits_is_worth_nothing(kit):
    ((ada, _),) = await known(kit, "ada")
    app = await App.of(kit, ada)
    browser = await kit.client()
    await kit.finish_sign_in(browser, "ada", await browser.get("/auth/demo/start"))
    await forget_factors(kit.system, EMAIL, reason="lost")
    answer = await browser.post("/v1/auth/second-factor", json={"code": app.code(kit)})
    assert (answer.status_code, answer.json()["code"]) == (400, "identity.sign_in_expired")


async def test_403_an_operator_in_a_browser_cannot(kit):
    (ada, _), (_grace, operator) = await known(kit, "ada", "grace")
    await App.of(kit, ada)
    with pytest.raises(Forbidden):
        await forget_factors(as_operator(kit, operator), EMAIL, reason="curious")
    assert await is_signed_in(ada)


async def test_who_is_not_there_or_has_none_is_said(kit):
    await known(kit, "ada")
    for email, reason, refused in [
        ("nobody@example.com", "lost", UserNotFound),
        ("nonsense", "lost", UserNotFound),
        (EMAIL, "lost", FactorNotFound),
        (EMAIL, " ", ReasonMissing),
    ]:
        with pytest.raises(refused):
            await forget_factors(kit.system, email, reason=reason)


async def test_409_a_passkey_that_is_the_only_way_in_stays(start, product_of):
    kit = await start(product_of(sign_in=[Google(), Passkey()]))
    ((ada, _),) = await known(kit, "ada")
    await Device().register(ada)
    account = (await ada.get("/v1/me/accounts")).json()["items"][0]["id"]
    assert (await ada.delete(f"/v1/me/accounts/{account}")).status_code == 204
    with pytest.raises(LastWayIn):
        await forget_factors(kit.system, EMAIL, reason="lost")
    assert await is_signed_in(ada)


async def test_the_page_says_what_to_do(kit):
    ((ada, _),) = await known(kit, "ada")
    await App.of(kit, ada)
    browser = await kit.client()
    asked = await kit.finish_sign_in(browser, "ada", await browser.get("/auth/demo/start"))
    shown = await browser.get(asked.headers["location"], headers={"accept": "text/html"})
    assert "Write to us from your e-mail address." in shown.text
