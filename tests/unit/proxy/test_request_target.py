"""What may go on to a provider as method, path and query."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.errors import BadRequest, MethodNotAllowed
from ingate.proxy.request_target import check


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/", ""),
        ("/v1/chat/completions", ""),
        ("/v1/models/gpt-4.1...mini", "a=1&b=%2F..%2F"),
        ("/a/", "q=%C3%BC+%F0%9F%A6%8A"),
        ("/a%20b/%F0%9F%A6%8A:run;v=1,2", "pinging=ing_thing"),
        ("/v1/sk-ingat", "key=AIzaSomething&alt=sse"),
    ],
)
def test_what_is_plain_passes(path, query):
    """Anything that has one reading."""
    check("POST", path, query)


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("M-SEARCH", "/x", ""),
        ("", "/x", ""),
        ("GÉT", "/x", ""),
        ("GET", "", ""),
        ("GET", "x", ""),
        ("GET", "//x", ""),
        ("GET", "/x//", ""),
        ("GET", "/x/..", ""),
        ("GET", "/%2E./x", ""),
        ("GET", "/.", ""),
        ("GET", "/v1\\..\\x", ""),
        ("GET", "/v1%5c..%5Cx", ""),
        ("GET", "/v1/..;a/x", ""),
        ("GET", "/v1/%2e%2e%3bx", ""),
        ("GET", "/x#y", ""),
        ("GET", "/x", "a=b#c"),
        ("GET", "/x y", ""),
        ("GET", "/x\r\n", ""),
        ("GET", "/é", ""),
        ("GET", "/\udcff", ""),
        ("GET", "/%00", ""),
        ("GET", "/%c3", ""),
        ("GET", "/x", "a b"),
        ("GET", "/x", "é"),
        ("GET", "/x", "\udcff"),
        ("GET", "/x", "api_key=ing_0123"),
        ("GET", "/sk-ingate-0123456789", ""),
        ("GET", "/sk%2Dingate-x", ""),
        ("GET", "/x", "a=ses-ingate-0123456789"),
        ("GET", "/x", "inv-ingate-0123456789"),
        ("GET", "/x", "token=sk%2dingate%2dx"),
        ("GET", "/ing_0123456789", ""),
        ("GET", "/a/ing%5f0123456789", ""),
        ("GET", "/x", "token=ing_0123456789"),
    ],
)
def test_what_is_not_is_refused(method, path, query):
    """What a provider might read otherwise, and what is a credential of the gateway."""
    with pytest.raises(BadRequest):
        check(method, path, query)


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "TRACK", "trace", "Trace"])
def test_methods_that_show_a_request_or_ask_for_a_tunnel_are_refused(method):
    """However they are written: servers differ about case. The refusal names what may be sent."""
    with pytest.raises(MethodNotAllowed) as refused:
        check(method, "/v1/models", "")
    assert "GET" in refused.value.metadata["allow"].split(", ")
    assert method.upper() not in refused.value.metadata["allow"]


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_anything_is_passed_or_refused(method, path, query):
    """Never another failure; what passes can be written to the wire."""
    try:
        check(method, "/" + path, query)
    except (BadRequest, MethodNotAllowed):
        return
    assert f"{method} /{path}?{query}".encode("ascii").split(b"\r\n", 1)[1:] == []


@pytest.mark.parametrize("piece", ["a", "/a", "/.", "%20", "%", "ing_", "key=&", "sk-", "-ingate-"])
def test_long_targets_take_no_long_time(piece):
    """The work grows with the length, not with its square."""
    target = piece * (16_384 // len(piece))
    started = time.process_time()
    for path, query in (("/" + target, ""), ("/x", target)):
        try:
            check("GET", path, query)
        except BadRequest:
            continue
    assert time.process_time() - started < 0.2
