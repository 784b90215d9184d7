"""An operator looks through her eyes, beside all that happens to her: the steps that `test_state_machine.py` takes."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import select

from identity.ways_in_model import Look, Person
from tenantry.identity import operating
from tenantry.identity.actions.admission import Proof, admit
from tenantry.identity.models import Sessions
from tenantry.kernel.database import param, statement
from tenantry.testing import AppKit

picks = st.integers(0, 9)
SHOWN_MOST = 3
LOOKS = statement(
    select(Sessions.id)
    .where(Sessions.user_id == param("user"), Sessions.impersonator_id.is_not(None))
    .order_by(Sessions.id)
)


def is_looked(machine: Any) -> bool:
    """A precondition: there was a look."""
    return bool(machine.ada.looks)


class Looks(RuleBasedStateMachine):
    """What operators do with her; `operator` is a Person of whom only the sessions count."""

    world: Any
    kit: AppKit
    ada: Person
    operator: Person
    do: Callable[[Callable[[Any], Awaitable[Any]]], Any]

    @property
    def now(self) -> Any:
        return self.kit.clock.now()

    @rule(may_write=st.booleans())
    @precondition(lambda machine: len(machine.ada.sessions) > 1)
    def look(self, may_write: bool) -> None:
        own = self.do(lambda ctx: admit(ctx, Proof(self.operator.id, "test"), old_token=None))
        form = {"reason": "a question", "may_write": "1" if may_write else ""}
        path = f"/admin/users/{self.ada.id}/impersonate"
        answer = self.world.post(path, form, own.token)
        assert (answer.status_code == 303) != self.ada.is_closed(self.now), answer.text
        if answer.status_code != 303:
            return
        (token,) = [
            one.partition("=")[2].partition(";")[0]
            for one in answer.headers.get_list("set-cookie")
            if one.startswith("session=")
        ]
        listed = self.do(lambda ctx: ctx.db.rows(LOOKS, user=self.ada.id))
        self.ada.looks.append(Look(listed[-1], token, own.token, self.now, may_write=may_write))

    @rule(which=picks, how=st.sampled_from(["end", "sign out", "sign the operator out", "dismiss"]))
    @precondition(is_looked)
    def end_look(self, which: int, how: str) -> None:
        look = self.ada.looks[-1 - which % len(self.ada.looks[-SHOWN_MOST:])]
        match how:
            case "end":
                self.world.post("/auth/impersonation/end", {}, look.token)
                look.is_over = True
            case "sign out":
                self.world.ask("POST", "/v1/auth/sign-out", look.token)
                look.is_over = True
            case "sign the operator out":
                self.world.ask("POST", "/v1/auth/sign-out", look.operators)
                look.is_over = True
            case "dismiss":
                for role in ("USER", "ADMIN"):
                    system = self.kit.system
                    self.world.run(operating.set_role(system, self.operator.id, role, reason="a test"))
                self.ada.end_looks()

    @rule(which=picks)
    @precondition(is_looked)
    def change_something_in_a_look(self, which: int) -> None:
        look = self.ada.looks[-1 - which % len(self.ada.looks[-SHOWN_MOST:])]
        code = "identity.closed_to_operators" if look.may_write else "identity.read_only"
        for method, path in (("PUT", "/v1/me/password"), ("POST", "/v1/me/totp"), ("DELETE", "/v1/me/sessions")):
            answer = self.world.ask(method, path, look.token)
            is_live = look.is_good(self.now) and not self.ada.is_closed(self.now)
            assert (answer.status_code, answer.json()["code"] == code) == ((403, True) if is_live else (401, False))

    @invariant()
    def looks_are_open_as_they_should_and_stay_in_her_list(self) -> None:
        if not hasattr(self, "ada"):
            return
        for look in self.ada.looks[-SHOWN_MOST:]:
            answer = self.world.ask("GET", "/v1/me", look.token)
            is_live = look.is_good(self.now) and not self.ada.is_closed(self.now)
            assert answer.status_code == (200 if is_live else 401), answer.text
            assert not is_live or answer.json()["id"] == str(self.ada.id)
        listed: list[UUID] = self.do(lambda ctx: ctx.db.rows(LOOKS, user=self.ada.id))
        assert listed == [one.id for one in self.ada.looks]
