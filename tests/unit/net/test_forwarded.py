"""Whose word for a caller's address is taken, and which of it."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.errors import BadRequest
from ingate.net.forwarded import trusted_proxies

PROXIES = trusted_proxies("10.0.0.0/8, 2001:db8:1::/48, 192.0.2.7")
FOR, FORWARDED = b"x-forwarded-for", b"forwarded"


@pytest.mark.parametrize(
    ("peer", "headers", "caller"),
    [
        # Nobody asked: a stranger's word, or no word.
        ("198.51.100.1", [(FOR, b"203.0.113.9")], "198.51.100.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("", [(FOR, b"203.0.113.9")], ""),
        # One proxy, several, and hops that the caller invented.
        ("10.0.0.1", [(FOR, b"203.0.113.9")], "203.0.113.9"),
        ("10.0.0.1", [(FOR, b"1.2.3.4, 203.0.113.9, 10.1.1.1,192.0.2.7")], "203.0.113.9"),
        ("10.0.0.1", [(FOR, b"1.2.3.4"), (FOR, b"203.0.113.9")], "203.0.113.9"),
        ("10.0.0.1", [(FOR, b"10.3.3.3, 10.2.2.2")], "10.3.3.3"),
        # As proxies write addresses.
        ("10.0.0.1", [(FOR, b"203.0.113.9:51234")], "203.0.113.9"),
        ("10.0.0.1", [(FOR, b"[2001:db8::9]:443")], "2001:db8::9"),
        ("10.0.0.1", [(FOR, b"2001:db8::9")], "2001:db8::9"),
        ("10.0.0.1", [(FOR, b"::ffff:203.0.113.9")], "203.0.113.9"),
        ("::ffff:10.0.0.1", [(FOR, b"203.0.113.9")], "203.0.113.9"),
        ("2001:db8:1::5", [(FOR, b"203.0.113.9")], "203.0.113.9"),
        # RFC 7239.
        ("10.0.0.1", [(FORWARDED, b"for=203.0.113.9")], "203.0.113.9"),
        ("10.0.0.1", [(FORWARDED, b'proto=https;For="[2001:db8::9]:4711";by=10.0.0.1')], "2001:db8::9"),
        ("10.0.0.1", [(FORWARDED, b"for=1.2.3.4, for=203.0.113.9;proto=http, for=10.9.9.9")], "203.0.113.9"),
        # Nothing that can be believed: the last proxy it came from.
        ("10.0.0.1", [(FOR, b"unknown")], "10.0.0.1"),
        ("10.0.0.1", [(FOR, b"203.0.113.9, _hidden, 10.2.2.2")], "10.2.2.2"),
        ("10.0.0.1", [(FORWARDED, b"for=_hidden")], "10.0.0.1"),
        ("10.0.0.1", [(FORWARDED, b"proto=https")], "10.0.0.1"),
        ("10.0.0.1", [(FOR, b"203.0.113.9,")], "10.0.0.1"),
        ("10.0.0.1", [(FOR, b"010.020.030.040")], "10.0.0.1"),
        ("10.0.0.1", [(FOR, b"203.0.113.9, 300.1.1.1")], "10.0.0.1"),
        # The proxies write one of the two, the caller wrote the other.
        ("10.0.0.1", [(FORWARDED, b"for=1.1.1.1"), (FOR, b"203.0.113.9")], "10.0.0.1"),
        ("10.0.0.1", [(FORWARDED, b"for=203.0.113.9"), (FOR, b"203.0.113.9")], "203.0.113.9"),
    ],
)
def test_the_caller_is_the_last_whom_no_proxy_stands_for(peer, headers, caller):
    """The right-most address that is not trusted; what is left of it counts for nothing."""
    assert PROXIES.caller(peer, headers) == caller


@given(st.lists(st.ip_addresses(v=4).map(str), max_size=40), st.ip_addresses(v=4).filter(lambda a: a.packed[0] != 10))
def test_what_a_caller_invents_changes_nothing(invented, caller):
    """Whatever list a caller sends, the proxy appends where it came from."""
    told = ", ".join([*invented, str(caller)]).encode()
    if ip_address("192.0.2.7") != caller:
        assert PROXIES.caller("10.0.0.1", [(FOR, told)]) == str(caller)


@given(st.binary(max_size=200), st.sampled_from([FOR, FORWARDED]))
def test_no_header_makes_it_raise(value, name):
    """Whatever comes, an address is returned."""
    ip_address(PROXIES.caller("10.0.0.1", [(name, value)]))


def test_a_long_list_is_read_from_its_end():
    """Thirty-two hops at most: a caller that sends thousands costs no more, and what stands before them is not read."""
    assert PROXIES.caller("10.0.0.1", [(FOR, b"203.0.113.9," + b"10.1.1.1," * 6000 + b"10.2.2.2")]) == "10.1.1.1"
    assert PROXIES.caller("10.0.0.1", [(FOR, b"203.0.113.9," + b"10.1.1.1," * 30 + b"10.2.2.2")]) == "203.0.113.9"


@pytest.mark.parametrize("listed", ["", " ", ","])
def test_nobody_is_trusted_unless_listed(listed):
    """Without the setting there is nothing to ask."""
    assert trusted_proxies(listed) is None


@pytest.mark.parametrize("listed", ["nginx", "10.0.0.0/33", "10.0.0", "*", "10.0.0.1-10.0.0.9"])
def test_what_is_no_network_is_refused_by_name(listed):
    """The error names the setting and the entry."""
    with pytest.raises(BadRequest, match=r"trusted_proxies must be addresses and networks") as raised:
        trusted_proxies(f"10.0.0.1, {listed}")
    assert repr(listed) in raised.value.message


@pytest.mark.parametrize("listed", ["::ffff:10.0.0.0/104", "::ffff:10.0.0.0/128", "::ffff:a00:0/104"])
def test_a_network_of_mapped_addresses_is_the_one_it_stands_for(listed):
    """Sockets of both kinds name an IPv4 address in this way, so that is how it may be listed."""
    caller = trusted_proxies(listed).caller
    assert caller("::ffff:10.0.0.0", [(b"x-forwarded-for", b"203.0.113.9")]) == "203.0.113.9"
    assert caller("11.0.0.0", [(b"x-forwarded-for", b"203.0.113.9")]) == "11.0.0.0"
