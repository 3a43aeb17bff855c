"""Credentials that are known are found in whatever form a provider quotes them."""

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.proxy.masking import SHORTEST, credentials, joined, mask_of, shown_by

KEY = "sk-provider-CANARY-0123456789abcdef"
ODD = 'p@ss/w"or\\d+<1>&2=é 3'
PAIR = "user:correct horse"


def forms(secret):
    """Yields the texts in which a secret may be quoted."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1].replace("/", "\\/")
    yield re.sub(r"[^\w.~-]", lambda found: f"\\u{ord(found[0]):04X}", secret)
    yield quote(secret)
    yield quote(secret, safe="")
    yield quote(quote(secret, safe=""), safe="")
    yield quote_plus(secret)
    yield html.escape(secret)


@pytest.mark.parametrize(
    "secret", [KEY, ODD.replace("é", "e"), PAIR, "0123456789abcdef0123456789abcdef", "-" * 12, "a/b+c/d+e=="]
)
def test_each_form_is_masked(secret):
    """Plain, and as JSON, URLs and HTML escape it; what stands beside it stays."""
    mask = mask_of([secret])
    for form in forms(secret):
        found = mask.apply(f"before {form}, after".encode())
        assert found == b"before ***, after", form


def test_text_beyond_ascii_is_masked_as_it_is():
    """And as URLs have it."""
    for form in (ODD, json.dumps(ODD, ensure_ascii=False)):
        assert "w" not in mask_of([ODD]).text(form)


@given(st.binary(max_size=7), st.binary(max_size=7))
def test_a_pair_is_masked_in_base64(before, after):
    """Wherever it begins in what is encoded, in either alphabet."""
    plain = before + PAIR.encode() + after
    for encoded in (base64.b64encode(plain), base64.urlsafe_b64encode(plain)):
        found = mask_of([PAIR]).apply(b"[%b]" % encoded)
        assert b"***" in found
        assert base64.b64encode(b"correct")[:8] not in found


@given(st.binary(max_size=200), st.integers(0, 200))
def test_what_holds_no_credential_is_unchanged(data, at):
    """Also where it holds most of one."""
    data = data[:at] + KEY[:-1].encode() + data[at:]
    if KEY.encode() not in data:
        assert mask_of([KEY]).apply(data) == data


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_none_is_left(before, after):
    """Whatever bytes stand around it."""
    assert KEY.encode() not in mask_of([KEY]).apply(before + KEY.encode() + after)


@given(st.integers(0, 60), st.integers(0, 120))
def test_what_a_cut_leaves_of_one_is_masked_too(before, limit):
    """No four characters of the beginning of a credential stay at the end; the result is no longer than the limit."""
    data = b"x" * before + KEY.encode() + b"y" * 60
    found = mask_of([KEY]).beginning(data, limit)
    assert len(found) <= max(limit, 3)
    assert KEY[:4].encode() not in found
    assert found[: min(before, limit)] == b"x" * min(before, limit)


def test_what_is_short_is_not_looked_for():
    """A key such as `none` would take words out of texts; without a key there is nothing to search for."""
    assert mask_of(["none", "", "x" * (SHORTEST - 1)]) is None
    assert joined([None, mask_of([]), None]) is None
    both = joined([mask_of([KEY]), None, mask_of([PAIR])])
    assert both.text(f"{KEY} {PAIR}") == "*** ***"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("abc", {"abc"}),
        ("Bearer abc", {"Bearer abc", "abc"}),
        ("Basic " + base64.b64encode(b"user:pass").decode(), {"dXNlcjpwYXNz", "user:pass", "pass"}),
        ("Basic !!", {"Basic !!", "!!"}),
        ("two words more", {"two words more"}),
    ],
)
def test_what_is_secret_in_a_value(value, expected):
    """The value, what follows its scheme, and the password in it."""
    assert expected <= set(credentials(value))
    assert set(credentials(value)) - expected <= {value}


def test_what_a_caller_shows():
    """Credentials of the named headers, each cookie for itself."""
    headers = [(b"authorization", b"Bearer k"), (b"cookie", b"a=1; b=2"), (b"x-note", b"n")]
    assert {"k", "1", "2"} <= set(shown_by(headers, frozenset({b"authorization", b"cookie"})))
    assert "n" not in set(shown_by(headers, frozenset({b"authorization", b"cookie"})))
