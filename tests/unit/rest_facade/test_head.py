"""Request heads: what is read, what is refused, what is remembered."""

from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rest_facade.failures import Refused
from rest_facade.http1.head import MOST_OWN, REMEMBERED, REMEMBERED_BYTES, Heads, may_begin

LINE = b"POST /v1/chat/completions?a=b HTTP/1.1"
HOST = b"Host: x"


@dataclass
class Split:
    """A table by which whatever is below `/api/` is a dialect's."""

    epoch: int = 0
    heeded: frozenset[bytes] = frozenset()
    dialect: str = "dialect"

    def owner(self, path):
        return self.dialect if path.startswith("/api/") else "proxy"


def heads(**limits):
    return Heads(Split(), **{"max_target": 1000, **limits})


def head(*lines):
    return b"\r\n".join(lines)


def test_what_a_head_says():
    """Names are lower-case, values without blanks around them, repeated names stay apart."""
    found, length = heads().read(
        head(LINE, HOST, b"Content-Length: 12", b"X-A:\t b c \t", b"x-a: d", b"Expect: 100-Continue")
    )

    assert (found.method, found.target, found.path, found.query) == (
        "POST",
        "/v1/chat/completions?a=b",
        "/v1/chat/completions",
        "a=b",
    )
    assert found.headers == [(b"host", b"x"), (b"x-a", b"b c"), (b"x-a", b"d"), (b"expect", b"100-Continue")]
    assert (length, found.chunked, found.expects, found.owner, found.keep_alive) == (12, False, True, "proxy", True)
    assert heads().read(head(b"GET /api/v1/keys HTTP/1.1", HOST))[0].owner == "dialect"


@pytest.mark.parametrize(
    ("line", "connection", "kept"),
    [
        (b"GET / HTTP/1.1", None, True),
        (b"GET / HTTP/1.1", b"close", False),
        (b"GET / HTTP/1.1", b"TE, Close", False),
        (b"GET / HTTP/1.1", b"upgrade", False),
        (b"GET / HTTP/1.0", None, False),
        (b"GET / HTTP/1.0", b"Keep-Alive", True),
    ],
)
def test_whether_the_connection_is_kept(line, connection, kept):
    """As the versions of HTTP have it; one that wants another protocol ends with its answer."""
    lines = [line, HOST] + ([b"Connection: " + connection] if connection else [])

    assert heads().read(head(*lines))[0].keep_alive is kept


def test_a_head_is_read_once():
    """Requests that differ in the length of their body alone share a head; others and large ones do not."""
    known = heads()
    one, first = known.read(head(LINE, HOST, b"Content-Length: 1", b"A: b"))
    same, second = known.read(head(LINE, HOST, b"content-length:22", b"A: b"))
    other, _ = known.read(head(LINE, HOST, b"A: c", b"Content-Length: 1"))
    assert one is same
    assert one is not other
    assert (first, second) == (1, 22)

    large = head(LINE, HOST, b"A: " + b"x" * REMEMBERED_BYTES)
    assert known.read(large)[0] is not known.read(large)[0]


def test_heads_that_differ_in_a_line_share_the_rest():
    """What no head before had is its own, as long as nothing else follows from it."""
    known = heads()
    lines = [LINE, HOST, b"User-Agent: sdk", b"Accept: */*"]
    for number in range(2 * REMEMBERED):
        found, _ = known.read(head(*lines, b"traceparent: 00-%d" % number))
        assert found.headers[-1] == (b"traceparent", b"00-%d" % number)
        assert len(found.headers) == 4
    assert found.own == [(b"traceparent", b"00-%d" % number)]
    assert found.shared is known.read(head(*lines))[0]

    for line in (
        b"Authorization: Bearer x",
        b"X-Ingate-Provider: p",
        b"Connection: traceparent",
        b"anthropic-version: 1",
    ):
        assert known.read(head(*lines, line))[0].shared is None
    assert known.read(head(*lines, *[b"X-%d: a" % number for number in range(MOST_OWN + 1)]))[0].shared is None


_LINES = st.sampled_from(
    [
        *[b"X-A: %d" % number for number in range(3)],
        *[b"traceparent: %d" % number for number in range(3)],
        b"x-a:  1",
        b"Accept: */*",
        b"Connection: close",
        b"Connection: keep-alive, x-a",
        b"Content-Length: 1",
        b"Expect: 100-continue",
        b"Host: y",
        b"no header",
        b"Transfer-Encoding: chunked",
        b"Upgrade: h2c",
        b"X-Ingate-Provider: p",
    ]
)


def told(known, raw):
    """Returns what is read of a head, or why it is refused; of headers the order by name alone."""
    try:
        found, length = known.read(raw)
    except Refused as refused:
        return refused.failure.reason
    values = {name: [text for other, text in found.headers if other == name] for name, _ in found.headers}
    stated = found.method, found.target, found.version, found.chunked, found.keep_alive, found.expects, found.owner
    return stated, values, length


@given(st.lists(st.lists(_LINES, max_size=3), max_size=8))
@example([[b"X-A: 1"], [b"X-A: 2", b"X-A: 1"]])
@example([[b"Expect: 100-continue"]])
@example([[b"X-A: 1"], [b"X-A: 1", b"Connection: close"]])
@example([[b"Transfer-Encoding: chunked"]])
@example([[b"Host: y"]])
def test_what_was_read_before_changes_nothing(requests):
    """Whatever heads came first, one says what it would say alone."""
    known = heads()
    known.read(head(LINE, HOST))
    for lines in requests:
        raw = head(LINE, HOST, *lines)
        assert told(known, raw) == told(heads(), raw)


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5", b"Content-Length: 5"],
        [b"Content-Length: 5", b"Content-Length: 6"],
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding: chunked, identity"],
        [b"Transfer-Encoding:"],
        [b"Transfer-Encoding: chunked\t"],
        [b"Transfer-Encoding:\tchunked"],
        [b"Connection: " + b"a," * 64],
        [b"Content-Length: +5"],
        [b"Content-Length: 0x5"],
        [b"Content-Length: 5, 5"],
        [b"Content-Length: "],
        [b"Content-Length: " + b"9" * 16],
        [b"Content-Length: \xd9\xa5"],
        [b"Content-Length : 5"],
        [b"X: a", b" Content-Length: 5"],
        [b"X: a", b"\tb"],
        [b": a"],
        [b"X"],
        [b"X Y: a"],
        [b"X: a\rb"],
        [b"X: a\nb"],
        [b"X: a\0b"],
        [b"X: \x7f"],
        [b"Host: y"],
    ],
)
def test_what_can_be_read_two_ways_is_refused(lines):
    """Whatever stands before this gateway, it cannot have taken such a request for another one."""
    known = heads()
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            known.read(head(LINE, HOST, *lines))
        assert refused.value.failure.reason == "BAD_REQUEST"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET /",
        b"GET / HTTP/2.0",
        b"GET / HTTP/1.2",
        b"GET  / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"get / HTTP/1.1",
        b"BREW / HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET /a b HTTP/1.1",
        b"GET x HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT x:443 HTTP/1.1",
        b"CONNECT /x HTTP/1.1",
        b"GET ftp://h/x HTTP/1.1",
        b"GET http-://h/x HTTP/1.1",
    ],
)
def test_request_lines_that_are_none(line):
    """One method of those there are, one target that is a path, one version."""
    with pytest.raises(Refused):
        heads().read(head(line, HOST))


def test_a_header_of_blanks_is_refused_as_fast_as_any():
    """Blanks belong to what stands before the value: trying each of them as a part of it would take half a minute."""
    with pytest.raises(Refused):
        heads().read(head(LINE, HOST, b"X-A:" + b" \t" * 30_000 + b"\0"))


def test_a_host_is_stated_once():
    """HTTP/1.1 demands it, HTTP/1.0 does not know it."""
    with pytest.raises(Refused):
        heads().read(head(b"GET / HTTP/1.1", b"A: b"))
    assert heads().read(b"GET / HTTP/1.0")[1] == 0


@pytest.mark.parametrize(
    ("max_target", "lines", "reason"),
    [
        (1000, [b"GET /" + b"a" * 1000 + b" HTTP/1.1", HOST], "TARGET_TOO_LONG"),
        (9000, [b"GET /" + b"%41" * 1025 + b" HTTP/1.1", HOST], "TARGET_TOO_LONG"),
        (1000, [b"GET / HTTP/1.1", HOST, *[b"A: b"] * 128], "HEADERS_TOO_LARGE"),
    ],
)
def test_bounds(max_target, lines, reason):
    """Targets and headers have one."""
    with pytest.raises(Refused) as refused:
        heads(max_target=max_target).read(head(*lines))
    assert refused.value.failure.reason == reason


token = st.text("abcXYZ-_09", min_size=1, max_size=8).filter(
    lambda name: name.lower() not in {"host", "content-length", "transfer-encoding", "connection", "expect"}
)
value = st.binary(max_size=12).filter(lambda text: not set(text) & {*range(9), *range(10, 32), 127})


@given(st.lists(st.tuples(token, value), max_size=6), st.integers(0, 10**15 - 1), st.data())
def test_the_length_may_stand_anywhere(pairs, length, data):
    """Wherever the length is stated, the rest of the head is read as if it were not."""
    lines = [name.encode() + b": " + text for name, text in pairs]
    place = data.draw(st.integers(0, len(lines)))
    known = heads()

    with_length, stated = known.read(head(LINE, HOST, *lines[:place], b"Content-Length: %d" % length, *lines[place:]))
    without, none = known.read(head(LINE, HOST, *lines))

    assert with_length is without
    assert (stated, none) == (length, 0)
    assert without.headers[1:] == [(name.lower().encode(), text.strip(b" \t")) for name, text in pairs]


@pytest.mark.parametrize(
    ("raw", "may"),
    [
        (b"G", True),
        (b"GET", True),
        (b"GET /x", True),
        (b"GET /x HTTP/1.1\r\nHost", True),
        (b"\x16\x03\x01\x02", False),
        (b"get /", False),
        (b"SSH-2.0-OpenSSH_9.2\r\n", False),
        (b"A" * 30, False),
    ],
)
def test_what_may_become_a_head(raw, may):
    """What cannot is refused at once, for its sender may never send a blank line."""
    assert may_begin(raw) is may


def test_many_heads_take_no_more_room_than_some():
    """What is remembered of distinct paths, keys and headers is bounded."""
    known = heads()
    for number in range(50_000):
        distinct = b"%d" % number
        found, _ = known.read(
            head(b"POST /v1/%b HTTP/1.1" % distinct, HOST, b"X-Ingate-Key: %b" % distinct, b"X-A: %b" % distinct)
        )
        assert found.path == f"/v1/{number}"
    assert len(known._known) <= REMEMBERED
    assert len(known._lines) <= REMEMBERED + MOST_OWN


def test_another_table_is_heeded_at_once():
    """Who answers is asked anew, of heads that were read before as well."""
    known = heads()
    raw = head(b"GET /api/v1/keys HTTP/1.1", HOST)
    assert known.read(raw)[0].owner == "dialect"
    known.follow(Split(epoch=1, dialect="another"))
    assert (known.read(raw)[0].owner, known.epoch) == ("another", 1)


def test_headers_that_tables_heed_are_read_with_the_head():
    """One that says who a caller is to an ingress is not taken for one that varies and says nothing."""
    known = Heads(Split(heeded=frozenset({b"x-plain-key"})), max_target=1000)
    known.read(head(LINE, HOST))
    for line, shared in ((b"X-Plain-Key: a", False), (b"X-Plain-Other: a", True)):
        assert (known.read(head(LINE, HOST, line))[0].shared is not None) is shared
