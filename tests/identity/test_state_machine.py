"""Ban, lift, delete, revoke, reset, link, unlink, time, in any order: what should be shut is, and what should be open.

A machine does what people and operators do, through the doors, and after each step compares every session, every mailed
token and every half of a sign-in with what a small model says. Somebody else's session is never concerned.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import httpx2
import pyotp
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from identity.mailbox import code_in, mailbox, token_in
from identity.ways_in_looks import Looks
from identity.ways_in_model import STEP, Half, Mailed, Person, Session
from tenantry import MagicLink, Password
from tenantry.identity import operating, queries
from tenantry.identity.actions import linking
from tenantry.identity.actions.admission import FactorNeeded, Proof, admit
from tenantry.identity.actions.people import ban_user, delete_user, lift_ban
from tenantry.identity.actions.registration import register
from tenantry.identity.errors import UserBanned, UserDeleted
from tenantry.identity.providers.base import ExternalProfile
from tenantry.testing import AppKit, TestDatabase

PASSWORDS = ("correct horse battery", "staple under the bridge", "four words are enough")
SHOWN_MOST = 5
STEPS = 25
MOSTLY = 8
"""Of the ten that `picks` may give."""
picks = st.integers(0, 9)


def in_session(*, also: Callable[[Any], Any] = lambda machine: True) -> Any:
    """A precondition: somebody is signed in as her. What sessions that are over open, the invariants look at."""
    return precondition(lambda machine: machine.is_anybody_in() and also(machine.ada))


class World:
    """The application, shared by all runs: each has people of its own, and a day of its own."""

    def __init__(self, kit: AppKit, client: httpx2.AsyncClient, run: Callable[[Awaitable[Any]], Any]) -> None:
        self.kit, self.client, self.run = kit, client, run
        self.numbers = count()

    def ask(self, method: str, path: str, session: str = "", *, cookie: str = "", **body: Any) -> httpx2.Response:
        """A request of an app, or of a browser with one cookie."""
        headers = {"Authorization": f"Bearer {session}"} if session else {}
        headers |= {"Cookie": cookie} if cookie else {}
        sent: httpx2.Response = self.run(self.client.request(method, path, headers=headers, json=body or None))
        self.client.cookies.clear()
        return sent

    def post(self, path: str, form: dict[str, str], session: str) -> httpx2.Response:
        """A form."""
        headers = {"Authorization": f"Bearer {session}"}
        sent: httpx2.Response = self.run(self.client.post(path, data=form, headers=headers))
        self.client.cookies.clear()
        return sent


class WaysIn(Looks):
    """What happens to one person, beside whom there is another one."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.kit = world, world.kit

    def do(self, act: Callable[[Any], Awaitable[Any]]) -> Any:
        """Something the operator does, or that needs no door: one unit on the service login."""

        async def inside() -> Any:
            async with self.kit.system.service() as ctx:
                return await act(ctx)

        return self.world.run(inside())

    @initialize()
    def begin(self) -> None:
        self.world.run(self.kit.move(days=1))
        number = next(self.world.numbers)
        names = ("ada", "grace", "operator")
        self.ada, self.grace, self.operator = (self.person(f"{name}{number}@example.com") for name in names)
        self.world.run(operating.set_role(self.kit.system, self.operator.id, "ADMIN", reason="a test"))
        self.connect(self.ada)
        self.sign_in_elsewhere(0)

    def person(self, email: str) -> Person:
        return Person(self.do(lambda ctx: register(ctx, email, name=None, method="test")), email)

    def connect(self, person: Person) -> None:
        profile = self.profile()
        person.accounts.append(self.do(lambda ctx: linking.add_account(ctx, person.id, "elsewhere", profile)))

    def profile(self) -> ExternalProfile:
        subject = f"subject-{next(self.world.numbers)}"
        return ExternalProfile("https://elsewhere.example", subject, None, email_verified=False, name=None, image=None)

    # Signing in.

    @rule(which=picks)
    @precondition(lambda self: self.ada.accounts)
    def sign_in_elsewhere(self, which: int) -> None:
        account = self.ada.accounts[which % len(self.ada.accounts)]
        try:
            done = self.do(lambda ctx: admit(ctx, Proof(self.ada.id, "elsewhere", account), old_token=None))
        except (UserBanned, UserDeleted):
            assert self.ada.is_closed(self.now)
            return
        assert not self.ada.is_closed(self.now)
        assert isinstance(done, FactorNeeded) == (self.ada.secret is not None)
        if isinstance(done, FactorNeeded):
            self.ada.halves.append(Half(done.token, self.now, account))
        else:
            self.ada.begin(done.session_id, done.token, self.now, account)

    @rule(is_right=st.booleans())
    @precondition(lambda self: self.ada.password is not None)
    def sign_in_with_password(self, is_right: bool) -> None:
        password = self.ada.password if is_right else "not the password"
        answer = self.world.ask("POST", "/v1/auth/password", email=self.ada.email, password=password, deliver="token")
        self.let_in(answer, 200 if is_right else 401)

    @rule(which=picks)
    @precondition(lambda self: self.of_kind("sign-in"))
    def sign_in_by_link(self, which: int) -> None:
        mailed = self.of_kind("sign-in")[which % len(self.of_kind("sign-in"))]
        answer = self.world.ask("POST", "/v1/auth/magic-link/confirm", token=mailed.token, deliver="token")
        self.let_in(answer, 200 if mailed.is_good(self.now) else 400)
        mailed.is_over = mailed.is_over or answer.status_code == 200

    def let_in(self, answer: httpx2.Response, expected: int) -> None:
        if answer.status_code == 429:
            return
        expected = 403 if expected == 200 and self.ada.is_closed(self.now) else expected
        assert answer.status_code == expected, answer.text
        if expected != 200:
            return
        body = answer.json()
        assert (body["status"] == "signed_in") == (self.ada.secret is None)
        if body["status"] == "signed_in":
            self.ada.begin(UUID(body["session"]["id"]), body["token"], self.now, None)
        else:
            self.ada.halves.append(Half(body["token"], self.now, None))

    @rule(which=picks, shown=st.sampled_from(["app", "app", "recovery", "used", "wrong"]))
    @precondition(lambda self: self.ada.halves)
    def show_second_factor(self, which: int, shown: str) -> None:
        waiting = [one for one in self.ada.halves if one.is_good(self.now)]
        some = waiting if waiting and which < MOSTLY else self.ada.halves
        half = some[-1 - which % len(some)]
        proof, is_right = self.second_proof(shown)
        answer = self.world.ask("POST", "/v1/auth/second-factor", token=half.token, deliver="token", **proof)
        if answer.status_code == 429:
            return
        assert (answer.status_code == 200) == (is_right and half.is_good(self.now)), answer.text
        if answer.status_code == 200:
            half.is_over = True
            self.used(proof)
            self.ada.begin(UUID(answer.json()["session"]["id"]), answer.json()["token"], self.now, half.account)

    def second_proof(self, shown: str) -> tuple[dict[str, str], bool]:
        """A code of a kind, and whether it is right now."""
        if shown == "recovery" and self.ada.codes:
            return {"recovery_code": self.ada.codes[0]}, True
        if shown == "app" and self.ada.secret is not None:
            return {"code": pyotp.TOTP(self.ada.secret).at(self.now)}, self.ada.is_fresh(self.now)
        if shown == "used" and self.ada.used_codes:
            return {"recovery_code": self.ada.used_codes[-1]}, False
        return {"recovery_code": "22222-22222"}, False

    def used(self, proof: dict[str, str]) -> None:
        if "recovery_code" in proof:
            self.ada.codes.remove(proof["recovery_code"])
            self.ada.used_codes.append(proof["recovery_code"])
        elif "code" in proof:
            self.ada.last_step = int(self.now.timestamp()) // STEP

    # Mails.

    @rule(kind=st.sampled_from(["sign-in", "reset"]))
    def ask_for_mail(self, kind: str) -> None:
        path = {"sign-in": "/v1/auth/magic-link", "reset": "/v1/auth/reset"}[kind]
        answer = self.world.ask("POST", path, email=self.ada.email)
        if answer.status_code == 429:
            return
        assert answer.status_code == 202
        token = "" if self.ada.is_closed(self.now) else token_in(self.newest_mail())
        self.ada.write(kind, token, self.now)

    @rule(which=picks, password=st.sampled_from(PASSWORDS))
    @precondition(lambda self: self.of_kind("reset"))
    def reset_password(self, which: int, password: str) -> None:
        mailed = self.of_kind("reset")[which % len(self.of_kind("reset"))]
        answer = self.world.ask("POST", "/v1/auth/reset/confirm", token=mailed.token, password=password)
        assert answer.status_code == (204 if mailed.is_good(self.now) else 400), answer.text
        if answer.status_code == 204:
            self.ada.password = password
            self.ada.shut_out()

    def of_kind(self, kind: str) -> list[Mailed]:
        return [one for one in self.ada.mailed if one.kind == kind and one.token][-SHOWN_MOST:]

    def newest_mail(self) -> Any:
        return self.world.run(mailbox(self.kit, self.ada.email))[-1]

    # What one changes about oneself.

    def is_anybody_in(self) -> bool:
        return any(self.ada.is_open(one, self.now) for one in self.ada.sessions[-SHOWN_MOST:])

    def session(self, which: int) -> Session:
        """One of the newer sessions: mostly an open one, so that something happens, at times one that is over."""
        newer = self.ada.sessions[-SHOWN_MOST:]
        open_ones = [one for one in newer if self.ada.is_open(one, self.now)]
        some = open_ones if open_ones and which < MOSTLY else newer
        return some[-1 - which % len(some)]

    def change(self, method: str, path: str, session: Session, *also: int, **body: Any) -> httpx2.Response | None:
        """Something dangerous; None when it was refused as it should be. `also` are answers that may be right too."""
        answer = self.world.ask(method, path, session.token, **body)
        expected = self.ada.may_change(session, self.now)
        if expected != 200:
            assert answer.status_code == expected, answer.text
            return None
        assert answer.status_code in {200, 204, *also}, answer.text
        return answer

    @rule(which=picks, password=st.sampled_from(PASSWORDS))
    @in_session()
    def change_password(self, which: int, password: str) -> None:
        session = self.session(which)
        answer = self.change("PUT", "/v1/me/password", session, 429, password=password)
        if answer is not None and answer.status_code == 200:
            self.ada.password = password
            self.ada.end_sessions(but=session)
            self.ada.end_tokens()
            self.ada.renew(session, answer.json()["token"], session.proven)  # It proves nothing anew.

    @rule(which=picks)
    @in_session(also=lambda ada: ada.password)
    def remove_password(self, which: int) -> None:
        session = self.session(which)
        if self.change("DELETE", "/v1/me/password", session):
            self.ada.password = None
            self.ada.end_sessions(but=session)
            self.ada.end_tokens()

    @rule(which=picks)
    @in_session()
    def set_up_app(self, which: int) -> None:
        session = self.session(which)
        if begun := self.change("POST", "/v1/me/totp", session):
            secret = begun.json()["secret"]
            code = pyotp.TOTP(secret).at(self.now)
            done = self.change("POST", "/v1/me/totp/confirm", session, code=code)
            assert done is not None
            self.ada.secret, self.ada.last_step = secret, int(self.now.timestamp()) // STEP
            assert bool(done.json()["recovery_codes"]) == (not self.ada.codes)
            self.ada.codes = done.json()["recovery_codes"] or self.ada.codes

    @rule(which=picks)
    @in_session(also=lambda ada: ada.secret)
    def remove_app(self, which: int) -> None:
        if self.change("DELETE", "/v1/me/totp", self.session(which)):
            self.ada.secret, self.ada.codes = None, []
            self.ada.end_halves()

    @rule(which=picks)
    @in_session()
    def link_account(self, which: int) -> None:
        session = self.session(which)
        known = self.do(lambda ctx: queries.users.known(ctx.db, self.ada.id))
        needed = self.do(lambda ctx: linking.ask_to_link(ctx, known, "elsewhere", self.profile()))
        answer = self.world.ask("POST", "/v1/auth/link-account", session.token, cookie=f"link={needed.token}")
        expected = self.ada.may_change(session, self.now)
        assert answer.status_code == expected, answer.text
        if expected == 200:
            self.ada.accounts.append(UUID(answer.json()["id"]))

    @rule(which=picks, account=picks)
    @in_session(also=lambda ada: ada.accounts)
    def unlink_account(self, which: int, account: int) -> None:
        session, gone = self.session(which), self.ada.accounts[account % len(self.ada.accounts)]
        if self.change("DELETE", f"/v1/me/accounts/{gone}", session):
            self.ada.disconnect(gone, session)

    @rule(which=picks, shown=st.sampled_from(["app", "app", "recovery", "used", "wrong"]))
    @in_session()
    def confirm(self, which: int, shown: str) -> None:
        session = self.session(which)
        proof, is_right = self.confirming(session, shown)
        answer = self.world.ask("POST", "/v1/auth/confirm", session.token, **proof)
        if answer.status_code == 429:
            return
        if not self.ada.is_open(session, self.now):
            assert answer.status_code == 401
            return
        assert answer.status_code == (200 if is_right else 400), answer.text
        if is_right:
            self.used(proof)
            self.ada.renew(session, answer.json()["token"], self.now)

    def confirming(self, session: Session, shown: str) -> tuple[dict[str, str], bool]:
        if self.ada.secret is not None:
            return self.second_proof(shown)
        if self.ada.password is not None:
            return {"password": self.ada.password if shown == "app" else "wrong"}, shown == "app"
        sent = self.world.ask("POST", "/v1/auth/confirm/mail", session.token)
        if sent.status_code != 204:
            return {"mailed_code": "nothing"}, False
        code = code_in(self.newest_mail())
        return {"mailed_code": code if shown == "app" else "nothing"}, shown == "app"

    # What ends sessions.

    @rule(which=picks, other=picks)
    @in_session()
    def revoke_one(self, which: int, other: int) -> None:
        asking, target = self.session(which), self.session(other)
        answer = self.world.ask("DELETE", f"/v1/me/sessions/{target.id}", asking.token)
        if not self.ada.is_open(asking, self.now):
            assert answer.status_code == 401
            return
        assert answer.status_code == (404 if target.is_over else 204)
        target.is_over = True

    @rule(which=picks, also_own=st.booleans())
    @in_session()
    def revoke_many(self, which: int, also_own: bool) -> None:
        asking = self.session(which)
        answer = self.world.ask("DELETE", f"/v1/me/sessions?current={str(also_own).lower()}", asking.token)
        assert answer.status_code == (204 if self.ada.is_open(asking, self.now) else 401)
        if answer.status_code == 204:
            self.ada.end_sessions(but=None if also_own else asking)

    @rule(which=picks)
    @in_session(also=lambda ada: len(ada.sessions) > 2)
    def sign_out(self, which: int) -> None:
        session = self.session(which)
        assert self.world.ask("POST", "/v1/auth/sign-out", session.token).status_code in {204, 401}
        session.is_over = True

    # What the operator does, and time.

    @rule(hours=st.sampled_from([None, 1, 20]))
    @in_session(also=lambda ada: len(ada.sessions) > 2)
    def ban(self, hours: int | None) -> None:
        ends = None if hours is None else self.now + timedelta(hours=hours)
        self.do(lambda ctx: ban_user(ctx, self.ada.id, reason="a test", ends=ends))
        self.ada.is_banned, self.ada.ban_ends = True, ends
        self.ada.shut_out()

    @rule()
    @precondition(lambda self: self.ada.is_banned)
    def lift(self) -> None:
        self.do(lambda ctx: lift_ban(ctx, self.ada.id, reason="a test"))
        self.ada.is_banned = False

    @rule()
    @in_session(also=lambda ada: len(ada.sessions) > 4)
    def delete(self) -> None:
        self.do(lambda ctx: delete_user(ctx, self.ada.id, reason="a test"))
        self.ada.is_deleted = True
        self.ada.shut_out()

    @rule(by=st.sampled_from([31, 61, 9 * 60, 11 * 60, 61 * 60]))
    def wait(self, by: int) -> None:
        self.world.run(self.kit.move(seconds=by))

    @rule()
    def run_jobs(self) -> None:
        self.world.run(self.kit.run_jobs())

    # What must hold after each of them.

    @invariant()
    def sessions_are_open_as_they_should(self) -> None:
        for session in self.ada.sessions[-SHOWN_MOST:]:
            self.expect("/v1/me", 200 if self.ada.is_open(session, self.now) else 401, session=session.token)
        for token in self.ada.retired[-2:]:
            self.expect("/v1/me", 401, session=token)

    @invariant()
    def mailed_tokens_are_good_as_they_should(self) -> None:
        for mailed in [one for one in self.ada.mailed if one.token][-SHOWN_MOST:]:
            self.expect(f"/auth/verify?token={mailed.token}", 200 if mailed.is_good(self.now) else 400)

    @invariant()
    def halves_wait_as_they_should(self) -> None:
        for half in self.ada.halves[-SHOWN_MOST:]:
            expected = 200 if half.is_good(self.now) else 400
            self.expect("/auth/second-factor", expected, cookie=f"half={half.token}")

    @invariant()
    def nobody_else_is_concerned(self) -> None:
        mine = self.grace.sessions[-1] if self.grace.sessions else None
        if mine is None or not self.grace.is_open(mine, self.now):
            done = self.do(lambda ctx: admit(ctx, Proof(self.grace.id, "test"), old_token=None))
            self.grace.begin(done.session_id, done.token, self.now, None)
            mine = self.grace.sessions[-1]
        self.expect("/v1/me", 200, session=mine.token)

    def expect(self, path: str, status: int, **credential: str) -> None:
        answer = self.world.ask("GET", path, **credential)
        assert answer.status_code == status, f"{path}: {answer.status_code}, not {status}: {answer.text[:300]}"


@pytest.fixture
def world(database: TestDatabase, product_of: Callable[..., Any]) -> Iterator[World]:
    """The application on a loop of its own: the machine's steps are no coroutines."""
    product = product_of(sign_in=[Password(), MagicLink(sign_up=False)])

    async def start(stack: AsyncExitStack) -> tuple[AppKit, httpx2.AsyncClient]:
        kit = await stack.enter_async_context(AppKit.start(product, database))
        # The product is never without an operator, also when the one of a run is dismissed.
        await operating.appoint(kit.system, "first@example.com", reason="a test")
        return kit, await kit.client()

    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        kit, client = runner.run(start(stack))
        yield World(kit, client, runner.run)
        runner.run(stack.aclose())


@pytest.mark.parametrize(
    ("runs", "steps"), [(6, STEPS), pytest.param(400, 50, marks=[pytest.mark.deep, pytest.mark.timeout(3600)])]
)
def test_nothing_is_open_that_should_be_shut(world: World, runs: int, steps: int) -> None:
    chosen = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # To make a failure small takes minutes, which the long run has.
        phases=[Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if steps > STEPS else [])],
    )
    run_state_machine_as_test(lambda: WaysIn(world), settings=chosen)
