import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen.ingate.keys.v1.key_service_pb2 import ListKeysRequest
from ingate.errors import BadRequest
from ingate.page import DEFAULT_LIMIT, decode_cursor, encode_cursor, page

ROW = "0198c0de-0000-7000-8000-000000000001"


def test_a_page_has_defaults():
    """Fifty from the beginning, unless stated."""
    assert page(ListKeysRequest()) == (DEFAULT_LIMIT, 0) == (50, 0)
    assert page(ListKeysRequest(limit=7, offset=3)) == (7, 3)


@given(st.integers(0, 2**63 - 1), st.uuids())
def test_a_cursor_leads_back_to_its_place(time, row_id):
    """It is short, plain in a URL, and tells time and id."""
    cursor = encode_cursor(time, str(row_id))
    assert decode_cursor(cursor) == (time, str(row_id))
    assert cursor.isascii()
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert len(cursor) < 100


def encoded(text):
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "=",
        "A" * 256,
        encoded(ROW),
        encoded(f"1{ROW}"),
        encoded(f"-1 {ROW}"),
        encoded(f"+1 {ROW}"),
        encoded(f"1_0 {ROW}"),
        encoded(f"٣ {ROW}"),
        encoded(f"{2**63} {ROW}"),
        encoded(f"{'9' * 5000} {ROW}"),
        encoded(f"1 {ROW} "),
        encoded(f"1  {ROW[1:]}"),
        encoded(f"1 {ROW.upper()}"),
        encoded("1 " + "\0" * 36),
        encoded(f"1 {ROW}") + "\n",
    ],
)
def test_a_cursor_of_ones_own_making_is_refused(cursor):
    """As a bad request that names the field."""
    with pytest.raises(BadRequest) as refused:
        decode_cursor(cursor)
    assert list(refused.value.fields) == ["cursor"]


@given(st.text(max_size=120) | st.binary(max_size=90).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_text_is_a_cursor_or_a_bad_request(text):
    """Nothing else is raised, and nothing that a database cannot compare with comes out."""
    try:
        time, row_id = decode_cursor(text)
    except BadRequest:
        return
    assert 0 <= time < 2**63
    assert len(row_id) == 36
