import threading
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.kernel.ids import IdSource, new_id, new_token


def test_an_id_is_a_uuid_of_version_7_with_the_milliseconds_in_front() -> None:
    made = IdSource(lambda: 0x0198C2F0A1B2 * 1_000_000 + 999_999)()
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.hex.startswith("0198c2f0a1b2")


@given(st.lists(st.integers(0, 2**47), min_size=2, max_size=60))
def test_ids_grow_whatever_the_clock_does(milliseconds: list[int]) -> None:
    times = iter(milliseconds)
    source = IdSource(lambda: next(times) * 1_000_000)
    made = [source() for _ in milliseconds]
    assert made == sorted(set(made))
    assert all(one.version == 7 and one.variant == uuid.RFC_4122 for one in made)


@given(st.lists(st.integers(0, 300), max_size=6))
def test_many_at_once_grow_like_one_after_the_other(numbers: list[int]) -> None:
    source = IdSource()
    made = []
    for number in numbers:
        found = source.many(number)
        assert len(found) == number
        made += [*found, source()]
    assert made == sorted(set(made))
    assert all(one.version == 7 and one.variant == uuid.RFC_4122 for one in made)


def test_a_full_counter_carries_into_the_milliseconds() -> None:
    source = IdSource(lambda: 5_000_000)
    source._last = (6 << 74) - 1
    made = source()
    assert made.int >> 80 == 6
    assert made.version == 7


def test_threads_get_different_ids_each_in_order() -> None:
    made: list[list[uuid.UUID]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=lambda own=own: own.extend(new_id() for _ in range(2_000))) for own in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one for own in made for one in own}) == 8_000
    assert all(own == sorted(own) for own in made)


def test_a_token_has_its_prefix_and_always_the_same_length() -> None:
    tokens = {new_token("tk_live") for _ in range(200)}
    assert len(tokens) == 200
    assert {len(token) for token in tokens} == {len("tk_live_") + 43}
    assert all(token.removeprefix("tk_live_").isalnum() and token.isascii() for token in tokens)
    assert len(new_token("tk", bits=160)) == len("tk_") + 27


@pytest.mark.parametrize("prefix", ["", "TK", "1a", "a-b", "a__b", "_a", "a_", "ä"])
def test_a_strange_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        new_token(prefix)


def test_a_short_token_is_refused() -> None:
    with pytest.raises(ValueError, match="128"):
        new_token("tk", bits=64)
