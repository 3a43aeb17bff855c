import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.proxy.ports import Origin
from ingate.proxy.upstream.request import authority, encode
from ingate.remembered import CAPACITY
from tests.support.exchanges import OK, fetch, outbound
from tests.support.scripted_server import answering, scripted

ORIGIN = Origin("http", "h", 80)
FIXED = b"host: h"


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (Origin("http", "api.example", 80), "api.example"),
        (Origin("https", "api.example", 443), "api.example"),
        (Origin("http", "api.example", 443), "api.example:443"),
        (Origin("https", "api.example", 80), "api.example:80"),
        (Origin("http", "::1", 80), "[::1]"),
        (Origin("http", "::1", 8080), "[::1]:8080"),
        (Origin("https", "bücher.example", 443), "xn--bcher-kva.example"),
    ],
)
def test_authority(origin, expected):
    """Default ports are left out, IPv6 is bracketed, international names are encoded."""
    assert authority(origin) == expected


@pytest.mark.parametrize("host", ["", "a b", "a\r\nx: y", "a/b", "user@host", "a?b", "a#b", ".a", "[::1]", "a\0"])
def test_what_is_no_host(host):
    """A host that could change the meaning of the head or of an absolute target is refused."""
    with pytest.raises(ValueError, match="host"):
        authority(Origin("http", host, 80))


@pytest.mark.parametrize("method", ["", "GET x", "GET\r\n", "GÉT", "G:T", "GET\0"])
def test_bad_methods(method):
    """A method is a word."""
    with pytest.raises(ValueError, match="method"):
        encode(outbound(ORIGIN, method=method), "", FIXED, 0)


@pytest.mark.parametrize("target", ["", "x", "@evil/", "/a b", "/a\r\nx: y", "/a\nb", "/a\0", "/é", "http://h/"])
def test_bad_targets(target):
    """A target is an absolute path without blanks, line ends or anything beyond ASCII."""
    with pytest.raises(ValueError, match=r"."):
        encode(outbound(ORIGIN, target=target), "", FIXED, 0)


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a\r\nb", b"a\n", b"a\0", b"\xc3\xa9", b" a"])
def test_bad_names(name):
    """A header name is a token."""
    with pytest.raises(ValueError, match="token"):
        encode(outbound(ORIGIN, headers=[(name, b"x")]), "", FIXED, 0)


@pytest.mark.parametrize("name", [b"Host", b"content-length", b"Transfer-Encoding", b"connection"])
def test_framing_is_the_transport_s(name):
    """A caller cannot add framing headers of its own."""
    with pytest.raises(ValueError, match="transport"):
        encode(outbound(ORIGIN, headers=[(name, b"x")]), "", FIXED, 0)


def test_remembered_lines_are_those_of_the_request():
    """A request is written the same the second time, however many others came between, and a bad one stays bad."""
    headers = [(b"X-A", b"1"), (b"x-a", b"2"), (b"x-long", b"v" * 10_000)]
    first = encode(outbound(ORIGIN, headers=headers), "", FIXED, 0)
    for number in range(2 * CAPACITY):
        encode(outbound(ORIGIN, target=f"/{number}", headers=[(b"x-a", b"%d" % number)]), "", FIXED, 0)
    assert encode(outbound(ORIGIN, headers=headers), "", FIXED, 0) == first
    for _ in range(2):
        with pytest.raises(ValueError, match="line end"):
            encode(outbound(ORIGIN, headers=[(b"x-a", b"1\r\nx: y")]), "", FIXED, 0)


@given(value=st.binary(max_size=40), target=st.text(max_size=20))
def test_no_input_adds_a_line(value, target):
    """Whatever the target and value are, the head has the lines it should have or is refused."""
    request = outbound(ORIGIN, target=f"/{target}", headers=[(b"a", value), (b"b", b"c")], body=b"\r\n\0")
    try:
        payload = encode(request, "", FIXED, 10)
    except ValueError:
        assert not (target.isascii() and target.isalnum() and value.isalnum())
        return
    head, _, body = payload.partition(b"\r\n\r\n")
    assert body == b"\r\n\0"
    names = [line.split(b": ")[0] for line in head.split(b"\r\n")[1:]]
    assert names == [b"host", b"a", b"b", b"content-length"]
    assert b"\0" not in head
    assert head.count(b"\n") == head.count(b"\r") == 4


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [("GET", b"", None), ("POST", b"", b"0"), ("DELETE", b"", None), ("DELETE", b"x", b"1")],
)
def test_content_length(method, body, length):
    """A length is stated where there is a body or one is expected."""
    head = encode(outbound(ORIGIN, method=method, body=body), "", FIXED, 0)
    assert (b"content-length: %b\r\n" % length in head) if length else (b"content-length" not in head)


def test_only_small_bodies_are_joined():
    """A body beyond the limit is left out of the payload."""
    assert encode(outbound(ORIGIN, body=b"12345"), "", FIXED, 5).endswith(b"\r\n\r\n12345")
    assert encode(outbound(ORIGIN, body=b"12345"), "", FIXED, 4).endswith(b"content-length: 5\r\n\r\n")


async def test_a_refused_request_leaves_nothing(pool):
    """ValueError comes before a connection is opened, no lane remains, and nothing of the request reached anyone."""
    async with scripted(answering(OK)) as server:
        for bad in ({"headers": [(b"a", b"b\r\nx: y")]}, {"target": "/a\nb"}, {"method": "A B"}):
            with pytest.raises(ValueError, match=r"."):
                await fetch(pool, server.origin, **bad)
        with pytest.raises(ValueError, match="scheme"):
            await fetch(pool, Origin("ftp", "127.0.0.1", 1))
        with pytest.raises(ValueError, match="host"):
            await fetch(pool, Origin("http", "a\r\nb", 1))
        assert server.accepted == 0
        assert not pool._lanes
