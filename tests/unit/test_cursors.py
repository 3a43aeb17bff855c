import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen.ingate.exchanges.v1.exchange_service_pb2 import ListExchangesRequest
from gen.ingate.keys.v1.key_service_pb2 import ListKeysRequest
from ingate import cursors
from ingate.errors import BadRequest

LIST = cursors.list_fingerprint(ListKeysRequest(), "org")
ROW = "0198c0de-0000-7000-8000-000000000001"
KINDS = (int, str)
plain = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=200)


def refused(cursor, kinds=KINDS, of=LIST):
    with pytest.raises(BadRequest) as caught:
        cursors.decode(cursor, kinds, of)
    return list(caught.value.fields) == ["cursor"]


@given(st.integers(-(2**63), 2**63 - 1), plain)
def test_a_cursor_leads_back_to_its_place(number, text):
    """It is plain in a URL, and as short as requests take."""
    cursor = cursors.encode((number, text), LIST)
    assert cursors.decode(cursor, KINDS, LIST) == (number, text)
    assert cursor.isascii()
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert len(cursor) < 2048


@given(plain, st.data())
def test_no_character_may_be_another(text, data):
    """Wherever it stands, those bits of the last included that say nothing."""
    cursor = cursors.encode((1, text), LIST)
    at = data.draw(st.integers(0, len(cursor) - 1))
    letter = data.draw(st.characters(max_codepoint=255).filter(lambda it: it != cursor[at]))
    assert refused(cursor[:at] + letter + cursor[at + 1 :])


def test_the_bits_of_the_last_character_that_say_nothing_count():
    """Base64 would be read the same without them."""
    for text in ("", "a", "ab"):
        cursor = cursors.encode((1, text), LIST)
        others = set(string.ascii_letters + string.digits + "-_") - {cursor[-1]}
        assert all(refused(cursor[:-1] + letter) for letter in others)


@pytest.mark.parametrize("place", [(1,), (ROW,), (ROW, 1), (1, ROW, 1), (1, 2), (True, ROW), (1, "a\x00")])
def test_a_place_of_another_order_is_refused(place):
    """Even with its digest: nothing that a database cannot compare with comes out."""
    assert refused(cursors.encode(place, LIST))


@pytest.mark.parametrize("text", [b"", b"x", b"[1e3,2]", b'[9223372036854775808,"a"]', b"{}", b"null", b'[1, "a"]'])
def test_a_cursor_of_ones_own_making_is_refused(text):
    """One with the right digest of something else than a place, or of one in other words."""
    raw = cursors._digest(text, LIST) + text
    assert refused(base64.urlsafe_b64encode(raw).rstrip(b"=").decode())


def test_lists_are_told_apart():
    """By rpc, filters and owner; not by how much of the list is asked for."""
    lists = {
        LIST,
        cursors.list_fingerprint(ListKeysRequest(), "other"),
        cursors.list_fingerprint(ListExchangesRequest(), "org"),
        cursors.list_fingerprint(ListExchangesRequest(model="a"), "org"),
        cursors.list_fingerprint(ListExchangesRequest(model="b"), "org"),
    }
    assert len(lists) == 5
    assert cursors.list_fingerprint(ListKeysRequest(limit=7, offset=3, cursor="x"), "org") == LIST
    assert cursors.list_fingerprint(ListExchangesRequest(model="a", count=True), "org") in lists


@given(st.text(max_size=120) | st.binary(max_size=90).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_text_is_a_bad_request(text):
    """Nothing else is raised."""
    assert refused(text)
