"""What an address is counted as."""

import pytest

from tenantry.kernel.attempts import network


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),  # as a socket that listens on both kinds says it
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        (None, ""),
        ("unix", ""),
    ],
)
def test_what_an_address_is_counted_as(address: str | None, counted_as: str) -> None:
    assert network(address) == counted_as
