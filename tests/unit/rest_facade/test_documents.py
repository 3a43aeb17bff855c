import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.errors import BadRequest
from rest_facade.documents import MAX_DEPTH, body_members, items, members, value

document = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), document, max_size=5))
def test_parts_keep_their_text(given_object):
    """Each member's text means what the member meant."""
    body = json.dumps(given_object).encode()
    if b"\\ud" not in body:
        assert {key: json.loads(bytes(raw)) for key, raw in body_members(body)} == given_object


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"a":1,}', "byte 7"),
        (b'{"a":01}', "byte 6"),
        (b'{"a":NaN}', "byte 5"),
        (b"{'a':1}", "byte 1"),
        (b'{"a":1} {}', "trailing characters"),
        (b'{"a":"\xff"}', "UTF-8 at byte 6"),
        (b'{"a":"\\ud800"}', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "byte 0"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'"x"', "must be a JSON object"),
    ],
)
def test_broken_bodies(body, problem):
    """What is wrong and where is said, without quoting the body."""
    with pytest.raises(BadRequest, match=problem):
        body_members(body)


def nested(depth):
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_depth():
    """64 levels pass, one more does not, nor do a million; brackets inside strings do not count."""
    assert dict(body_members(nested(MAX_DEPTH)))
    for depth in (MAX_DEPTH + 1, 2000, 1_000_000):
        with pytest.raises(BadRequest, match="nested deeper"):
            body_members(nested(depth))
    assert dict(body_members(b'{"a":"' + b"[{" * 500 + b'\\"[[","b":[' + b"[]," * 500 + b"[]]}"))


def test_many_quotes_are_read_in_linear_time():
    """A long run of escaped quotes and brackets takes no time to speak of."""
    assert dict(body_members(b'{"a":"' + b'\\"[' * 500_000 + b'"}'))


def test_wrong_kinds_name_the_path():
    """A list where an object belongs, and the other way round, are named; null is nothing."""
    with pytest.raises(BadRequest, match=r"^a\.b must be an object"):
        members(b"[]", "a.b")
    with pytest.raises(BadRequest, match=r"^a must be a list"):
        items(b"{}", "a")
    with pytest.raises(BadRequest, match="a is out of range"):
        value(b"1e999", "a")
    assert list(members(b"null", "a")) == list(items(b"null", "a")) == []
