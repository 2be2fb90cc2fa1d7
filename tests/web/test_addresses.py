"""Edges of what is public: the first and last address of each range that is closed."""

from ipaddress import ip_address

import pytest

from stages.web import addresses
from stages.web.addresses import NotPublic, is_public, permitted, resolve


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ("168.63.129.16", "168.63.129.15"),
        ("168.63.129.16", "168.63.129.17"),
        ("192.0.0.0", "191.255.255.255"),
        ("192.0.0.255", "192.0.1.0"),
        ("192.88.99.0", "192.88.98.255"),
        ("192.88.99.255", "192.88.100.0"),
        ("224.0.0.0", "223.255.255.255"),
        ("10.255.255.255", "11.0.0.0"),
        ("172.31.255.255", "172.32.0.0"),
        ("100.64.0.0", "100.63.255.255"),
        ("100.127.255.255", "100.128.0.0"),
        ("1fff:ffff::", "2000::1"),
        ("2001:1ff:ffff::", "2001:200::"),
        ("2001:db8:ffff::", "2001:db9::"),
        ("3fff:fff:ffff::", "3fff:1000::"),
        ("3fff::", "3ffe:ffff::"),
        ("4000::", "3fff:ffff::"),
        ("64:ff9b:0:0:0:1::", "64:ff9b::808:808"),
        ("64:ff9b::7fff:ffff", "64:ff9b::8000:1"),
    ],
)
def test_what_is_beside_a_closed_range_is_open(inside, outside):
    assert not is_public(ip_address(inside))
    assert is_public(ip_address(outside))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("2001:0:808:808:0:0:fefe:fefe", True),  # Teredo: server 8.8.8.8, client 1.1.1.1
        ("2001:0:808:808:0:0:f5ff:fffe", False),  # client 10.0.0.1
        ("2001:0:a00:1:0:0:fefe:fefe", False),  # server 10.0.0.1
        ("2002:808:808::1", True),
        ("2002:a00:1::1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("::ffff:8.8.8.8", True),
        ("::ffff:169.254.169.254", False),
    ],
)
def test_an_address_that_holds_another_is_as_public_as_that_one(address, public):
    assert permitted(address) is public


@pytest.mark.parametrize("said", ["", "yes", "1", "ALLOW", "allowed"])
def test_the_switch_has_one_word(monkeypatch, said):
    monkeypatch.setenv(addresses.SWITCH, said)
    assert not permitted("127.0.0.1")


def test_an_address_in_brackets_is_resolved_with_its_port_for_tcp(monkeypatch):
    monkeypatch.setenv(addresses.SWITCH, "allow")
    ((_, kind, _, _, place),) = resolve("[::1]", 8080)
    assert (kind.name, place[:2]) == ("SOCK_STREAM", ("::1", 8080))


def test_a_refusal_says_where_the_host_is():
    with pytest.raises(NotPublic, match=r"^10\.0\.0\.1 is at 10\.0\.0\.1, which is no public"):
        resolve("10.0.0.1", 80)
