"""What every table keeps, read from the models; `test_guards.py` asks the databases themselves."""

from typing import Any

import pytest
from sqlalchemy import CheckConstraint, Column, ForeignKey, ForeignKeyConstraint, Index, Table, Text, UniqueConstraint
from sqlalchemy import MetaData as Metadata

from house.rules import tables
from house.rules.tree import PACKAGE, unexcused
from tenantry.kernel.database.tables import NAMING
from tenantry.kernel.database.types import Id, IdList, UtcDateTime, Whole, Words
from tenantry.kernel.policies import Policy

NULLABLE_OWNERS = {
    "holders.user_id": "a holder is a user, an organization or a workspace: exactly one, says its CHECK",
    "holders.organization_id": "the same",
    "holders.workspace_id": "the same; the workspace's owner stands in owner_id, which its key names too",
    "verification_tokens.user_id": "who signs up is nobody yet",
    "sessions.impersonator_session_id": "the operator's own session, not the person's: that is what it is for",
    "subscriptions.holder_id": "what was bought elsewhere may be nobody's that is known, until it is claimed",
    "payments.holder_id": "the same; and the law makes one keep them when their holder goes",
}
OPEN_WORDS = {
    "audit_log.subject_kind": "each room names its own kinds of things, also an author's",
    "accounts.token_type": "as the provider says it",
    "accounts.session_state": "as the provider says it",
    "subscriptions.raw_status": "as the provider says it",
}
RULES = [
    (tables.open_or_loose, {}),
    (tables.foreign_types, {}),
    (tables.open_words, OPEN_WORDS),
    (tables.loose_keys, {}),
    (tables.loose_owners, NULLABLE_OWNERS),
    (tables.parents_without_pair, {}),
]


def planted(*more: Any, guarded: bool = True) -> list[Table]:
    """Two tables as they should be, `homes` owned by `users`, with further columns and constraints in `homes`."""
    metadata = Metadata(naming_convention=NAMING)
    info, options = ({"policy": Policy()}, {"sqlite_strict": True}) if guarded else ({}, {})
    users = Table("users", metadata, Column("id", Id(), primary_key=True), info=info, **options)
    owner = () if any(getattr(one, "name", "") == "user_id" for one in more) else (owner_column(),)
    homes = Table("homes", metadata, Column("id", Id(), primary_key=True), *owner, *more, info=info, **options)
    return [users, homes]


def owner_column(**changes: Any) -> Column[Any]:
    options: dict[str, Any] = {"nullable": False, "index": True, **changes}
    return Column("user_id", Id(), ForeignKey("users.id", ondelete="CASCADE"), **options)


def child(found: list[Table], *more: Any) -> list[Table]:
    """A child of `homes`, owned by the same users."""
    columns = (Column("id", Id(), primary_key=True), owner_column(), Column("home_id", Id(), index=True))
    return [*found, Table("doors", found[0].metadata, *columns, *more, info={"policy": Policy()}, sqlite_strict=True)]


def pair() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["user_id", "home_id"], ["homes.user_id", "homes.id"], ondelete="CASCADE")


OFFENCES = [
    (tables.open_or_loose, planted(guarded=False), "users"),
    (tables.foreign_types, planted(Column("name", Text())), "homes.name"),
    (tables.foreign_types, planted(Column("names", IdList())), "homes.names"),
    (tables.foreign_types, planted(Column("sold_at", Whole())), "homes.sold_at"),
    (tables.foreign_types, planted(Column("name", Words(), default="x")), "homes.name"),
    (tables.foreign_types, planted(Column("sold_at", UtcDateTime(), onupdate=print)), "homes.sold_at"),
    (tables.open_words, planted(Column("status", Words())), "homes.status"),
    (
        tables.open_words,
        planted(Column("home_kind", Words()), CheckConstraint("kind IN ('a')", "x")),
        "homes.home_kind",
    ),
    (tables.loose_keys, planted(Column("at", Id(), ForeignKey("users.id"), index=True)), "homes.at"),
    (tables.loose_keys, planted(owner_column(index=False)), "homes.user_id"),
    (tables.loose_keys, planted(owner_column(index=False), Index("ix_homes_both", "id", "user_id")), "homes.user_id"),
    (tables.loose_owners, planted(owner_column(nullable=True)), "homes.user_id"),
    (tables.loose_owners, child(planted(), ForeignKeyConstraint(["home_id"], ["homes.id"])), "doors.home_id"),
    (tables.parents_without_pair, child(planted(), ForeignKeyConstraint(["home_id"], ["homes.id"])), "homes.user_id"),
]


@pytest.mark.parametrize(("rule", "exceptions"), RULES)
def test_every_table_keeps_the_rules(rule, exceptions):
    assert unexcused(rule(tables.all_tables()), exceptions) == []


@pytest.mark.parametrize(("rule", "found", "place"), OFFENCES)
def test_a_table_that_does_not_is_found(rule, found, place):
    assert place in {one.place for one in rule(found)}


@pytest.mark.parametrize(("rule", "exceptions"), RULES)
def test_tables_that_do_pass(rule, exceptions):
    words = CheckConstraint("status IN ('new', 'old')", name="status_known")
    good = planted(
        Column("status", Words()), Column("sold_at", UtcDateTime()), words, UniqueConstraint("user_id", "id")
    )
    both = Index("ix_doors_user_id_home_id", "user_id", "home_id")
    assert list(rule(child(good, pair(), both))) == []


def test_every_table_is_explained_in_its_room():
    tables.all_tables()
    missing = tables.unexplained(tables.rooms_of_tables(), readme_of)
    assert unexcused(missing, {}) == []


def readme_of(room: str) -> str:
    path = PACKAGE / room / "README.md"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_a_table_nobody_explains_is_found():
    readmes = {"a": "Only `homes` are told of, and doors by the way."}
    found = tables.unexplained({"homes": "a", "doors": "a"}, lambda room: readmes[room])
    assert [one.place for one in found] == ["doors"]


def test_constraints_and_indexes_are_named_by_the_convention():
    found = tables.all_tables()
    assert unexcused(tables.odd_names(found[0].metadata), {}) == []


def test_an_odd_name_is_found():
    odd = planted(owner_column(), Index("my_index", "user_id"), UniqueConstraint("user_id", "id", name="u" * 10))
    assert sorted(one.what.split()[0] for one in tables.odd_names(odd[0].metadata)) == ["my_index", "u" * 10]
    long = planted(owner_column(), Index("ix_homes_" + "a" * 60, "user_id"))
    assert len(list(tables.odd_names(long[0].metadata))) == 1
