"""Whose ids calls have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.ids import is_uuid
from ingate.rpc.request_ids import request_ids

TOKEN = b"token"


@given(st.text(max_size=140), st.none() | st.just("wrong") | st.just(""))
def test_no_caller_chooses_an_id(stated, token):
    """Whatever is stated, without the gateway's token the id is fresh; the reference is visible ASCII or nothing."""
    metadata = {"x-request-id": stated, **({} if token is None else {"x-ingate-gateway": token})}
    request_id, reference, told = request_ids(metadata, TOKEN)
    assert is_uuid(request_id)
    assert request_id != stated
    fit = 0 < len(stated) <= 128 and all("!" <= letter <= "~" for letter in stated)
    assert reference == (stated if fit else "")
    assert dict(told) == {"x-ingate-request-id": request_id, **({"x-request-id": stated} if fit else {})}


@pytest.mark.parametrize("stated", ["0198c0de-0000-7000-8000-000000000000", "r", ""])
def test_a_gateways_uuid_is_the_id(stated):
    """Beside its token; what is no UUID is no id from a gateway either."""
    request_id, reference, told = request_ids({"x-request-id": stated, "x-ingate-gateway": "token"}, TOKEN)
    assert (request_id == stated) is is_uuid(stated)
    assert (reference, told) == ("", ())


def test_who_states_no_reference_is_told_the_id_alone():
    """Nothing is made up in its place."""
    request_id, reference, told = request_ids({}, TOKEN)
    assert is_uuid(request_id)
    assert (reference, told) == ("", (("x-ingate-request-id", request_id),))
