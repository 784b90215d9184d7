"""The development mailbox: what it shows, to whom, and that a mail can do nothing in it."""

import pytest

from tenantry import MagicLink, Plan, Product
from tenantry.kernel.mail import send_mail
from tenantry.testing import PUBLIC_URL

HTML = {"accept": "text/html"}


@pytest.fixture
def mailing():
    return Product("Acme", sign_in=[MagicLink()], plans=[Plan("free", price=0)])


@pytest.fixture
async def kit(start, mailing):
    return await start(mailing)


async def write(kit, subject="Hello", **parts):
    async with kit.system.service() as ctx:
        return await send_mail(ctx, "ada@example.com", subject, **{"text": "Read me", **parts})


async def test_a_mail_is_there_before_any_worker_has_run(kit):
    client = await kit.client()
    await client.post("/auth/magic-link", data={"email": "ada@example.com"})
    assert '"/mailbox"' in (await client.get("/auth/sent", headers=HTML)).text
    listed = (await client.get("/mailbox", headers=HTML)).text
    for text in ("Sign in to Acme", "ada@example.com", "Waiting"):
        assert text in listed
    path = "/mailbox/" + listed.partition('href="/mailbox/')[2].partition('"')[0]
    shown = (await client.get(path, headers=HTML)).text
    assert f'<a href="{PUBLIC_URL}/auth/verify?token=sign_in_' in shown
    assert f'href="{path}/html"' in shown
    await kit.run_jobs()
    assert "Kept here" in (await client.get("/mailbox", headers=HTML)).text


async def test_the_newest_fifty_are_listed(kit):
    for number in range(51):
        await write(kit, f"Number {number:02}")
    client = await kit.client()
    listed = (await client.get("/mailbox", headers=HTML)).text
    assert "Number 00" not in listed
    assert listed.index("Number 50") < listed.index("Number 01")


async def test_an_empty_mailbox_says_so_and_a_missing_mail_is_404(kit):
    client = await kit.client()
    assert "No mails yet" in (await client.get("/mailbox", headers=HTML)).text
    for path in ("/mailbox/0198c2f0-a1b2-7c3d-8e4f-5a6b7c8d9e0f", "/mailbox/0198c2f0-a1b2-7c3d-8e4f-5a6b7c8d9e0f/html"):
        assert (await client.get(path, headers=HTML)).status_code == 404
    assert (await client.get("/mailbox/nonsense", headers=HTML)).status_code == 422
    plain = await write(kit)
    assert (await client.get(f"/mailbox/{plain}/html", headers=HTML)).status_code == 404
    assert "As HTML" not in (await client.get(f"/mailbox/{plain}", headers=HTML)).text


async def test_a_mail_can_do_nothing_in_the_mailbox(kit):
    bad = '<script>alert(1)</script><img src="x" onerror="alert(1)"><form action="/auth/signout" method="post">'
    mail = await write(kit, f"Hello {bad[:30]}", text=f"{bad} javascript:alert(1) https://evil.example", html=bad)
    client = await kit.client()
    for path in ("/mailbox", f"/mailbox/{mail}"):
        shown = (await client.get(path, headers=HTML)).text
        assert "<script>alert" not in shown
        assert "<img" not in shown
        assert 'href="javascript' not in shown
    alone = await client.get(f"/mailbox/{mail}/html", headers=HTML)
    policy = alone.headers["content-security-policy"]
    assert policy.startswith("sandbox ")
    for open_door in ("allow-scripts", "allow-same-origin", "allow-forms", "script-src", "'self'", "*"):
        assert open_door not in policy
    for shut in ("default-src 'none'", "form-action 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert shut in policy
    assert alone.headers["cache-control"] == "no-store"


async def test_404_in_production(start, mailing):
    settings = {"public_url": "https://acme.example", "smtp_url": "smtp://127.0.0.1:1", "mail_from": "a@acme.example"}
    kit = await start(mailing, environment="production", identity=None, **settings)
    mail = await write(kit, html="<p>Hello</p>")
    client = await kit.client(host="acme.example", origin="https://acme.example")
    for path in ("/mailbox", f"/mailbox/{mail}", f"/mailbox/{mail}/html"):
        answer = await client.get(path, headers=HTML)
        assert answer.status_code == 404
        assert "Hello" not in answer.text
    assert "/mailbox" not in (await client.get("/pricing", headers=HTML)).text


async def test_404_for_callers_from_far_away(start, mailing):
    kit = await start(mailing, trusted_proxies=1)
    mail = await write(kit, html="<p>Hello</p>")
    client = await kit.client()
    for address, status in (("8.8.8.8", 404), ("2606:4700::1111", 404), ("192.168.1.7", 200), ("::1", 200)):
        for path in ("/mailbox", f"/mailbox/{mail}", f"/mailbox/{mail}/html"):
            answer = await client.get(path, headers={**HTML, "x-forwarded-for": address})
            assert answer.status_code == status, (address, path)


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: demo.example.com",
        "Forwarded: for=127.0.0.1", "X-Real-IP: 127.0.0.1", "Via: 1.1 tunnel", "CF-Connecting-IP: 8.8.8.8",
    ],
)  # fmt: skip
async def test_404_through_a_tunnel_whose_end_is_on_this_machine(kit, header):
    mail = await write(kit, html="<p>Hello</p>")
    client = await kit.client()
    name, _, value = header.partition(": ")
    for path in ("/mailbox", f"/mailbox/{mail}", f"/mailbox/{mail}/html"):
        assert (await client.get(path, headers={**HTML, name: value})).status_code == 404
        assert (await client.get(path, headers=HTML)).status_code == 200


async def test_the_footer_leads_there_while_mails_are_kept_here(start, mailing):
    kit = await start(mailing)
    client = await kit.client()
    assert 'href="/mailbox"' in (await client.get("/pricing", headers=HTML)).text
    kit = await start(mailing, smtp_url="smtp://127.0.0.1:1")
    client = await kit.client()
    assert 'href="/mailbox"' not in (await client.get("/pricing", headers=HTML)).text
    await client.post("/auth/magic-link", data={"email": "ada@example.com"})
    assert 'href="/mailbox"' not in (await client.get("/auth/sent", headers=HTML)).text
