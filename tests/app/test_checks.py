"""What is known to be wrong, or not built yet, before the server starts."""

import pytest

from tenantry import Burst, Count, Google, Keys, Meter, Plan, Product, Scope, Settings
from tenantry.app import check
from tenantry.kernel import Module
from tenantry.kernel.permissions import Permission

requests = Meter("requests", per="day")
SETTINGS = Settings(google_client_id="id", google_client_secret="secret")


def product(**changes):
    limits = {requests: 5, **changes.pop("limits", {})}
    burst = changes.pop("burst", None)
    plans = [Plan("free", price=0, limits=limits, burst=burst)]
    return Product("Acme", sign_in=[Google()], plans=plans, **changes)


def errors(found):
    return [one for one in found if one.level == "error"]


def test_a_plain_product_has_no_errors():
    assert errors(check(product(), SETTINGS)) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"limits": {Count("keys"): 3}}, '"keys" is not enforced'),
    ],
)
def test_what_is_declared_and_not_built_yet_is_a_warning(changes, says):
    found = check(product(**changes), SETTINGS)
    assert errors(found) == []
    assert [one.level for one in found if says in one.problem] == ["warning"]


def test_the_count_of_keys_is_held_to_and_no_warning():
    kept = product(limits={Count("keys"): 3, Meter("calls"): 5}, keys=Keys(count=Count("keys")))
    assert [one for one in check(kept, SETTINGS) if "not enforced" in one.problem] == []


def test_a_pace_is_held_to_and_no_warning():
    assert not [one for one in check(product(burst=Burst(5)), SETTINGS) if "burst" in one.problem]


def test_organizations_that_are_billed_exist():
    assert errors(check(product(billed="organization"), SETTINGS)) == []
    assert product(billed="organization").organizations is not None


def test_something_else_than_a_module_is_refused():
    [finding] = errors(check(product(modules=[object()]), SETTINGS))
    assert finding.where == "modules[0]"


def test_nothing_else_is_called_as_what_operators_alone_may():
    """By the name alone everybody would be an operator, or could make a key that is one."""
    theirs = Permission("admin", "Look after a team.", roles=("owner", "admin"))
    fine = Permission("reports:write", "Write reports.", roles=("owner",))
    keys = Keys(scopes=[Scope("screen", "Screen."), Scope("admin", "Everything.")])
    found = errors(check(product(modules=[Module("teams", permissions=[fine, theirs])], keys=keys), SETTINGS))
    assert [one.where for one in found] == ["modules[0].permissions", "keys.scopes[1]"]
