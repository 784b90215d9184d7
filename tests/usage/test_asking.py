"""How many counters an exchange asks for."""

from tenantry.kernel import new_id
from tenantry.usage.asking import BATCH_MAX, SPLIT_FROM, batch_of


def keys(number):
    return [(new_id(), "requests") for _ in range(number)]


def test_few_are_asked_for_at_once():
    for kind in ("sqlite", "postgresql"):
        few = keys(SPLIT_FROM - 1)
        assert batch_of(few, kind) == few


def test_many_are_asked_for_in_halves_where_two_may_be_under_way():
    many = keys(64)
    assert batch_of(many, "postgresql") == many[:32]
    assert batch_of(many[32:], "postgresql") == many[32:]
    assert batch_of(many, "sqlite") == many


def test_no_statement_is_about_more_than_fit():
    for kind in ("sqlite", "postgresql"):
        assert len(batch_of(keys(10 * BATCH_MAX), kind)) == BATCH_MAX
