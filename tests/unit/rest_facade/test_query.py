import contextlib
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_facade.query import BadQuery, parse


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=6))
def test_reads_what_clients_write(pairs):
    """Any pairs that urlencode writes are read back in order."""
    encodable = [(n, v) for n, v in pairs if not any("\ud800" <= c <= "\udfff" for c in n + v)]

    assert parse(urlencode(encodable), strict=True) == encodable


@pytest.mark.parametrize("query", ["a=%zz", "a=%", "%f=1", "a=%ff", "a=%c3%28&b=1"])
def test_broken_escapes(query):
    """Broken escapes and broken UTF-8 are errors, or dropped where the dialect is lenient."""
    with pytest.raises(BadQuery):
        parse(query, strict=True)
    assert all(name == "b" for name, _ in parse(query, strict=False))


def test_small_print():
    """A plus is a blank, a name alone has an empty value, empty parts are nothing."""
    assert parse("a=b+c&&d&=e&f==", strict=True) == [("a", "b c"), ("d", ""), ("", "e"), ("f", "=")]


@given(st.text(alphabet="a=&%+;0f", max_size=40))
def test_never_anything_but_pairs_or_bad_query(query):
    """No text makes the parser fail in another way."""
    with contextlib.suppress(BadQuery):
        parse(query, strict=True)
    assert isinstance(parse(query, strict=False), list)
