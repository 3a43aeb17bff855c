"""What follows from a head alone."""

import pytest

from gen.ingate.exchanges.v1.exchange_service_pb2 import ExchangeRecord
from ingate.proxy.request_head import read_head


def head(path, method="POST", *headers):
    return read_head(method, path, "", list(headers), "secret")


@pytest.mark.parametrize(
    ("path", "repeatable"),
    [
        ("/v1/chat/completions", True),
        ("/v1/audio/speech", True),
        ("/v1/images/edits", True),
        ("/v1/rerank", True),
        ("/model/m/converse", True),
        ("/v1/messages/count_tokens", True),
        ("/v1/batches", False),
        ("/v1/messages/batches", False),
        ("/v1/files", False),
        ("/v1/responses/r/cancel", False),
        ("/v1/unknown", False),
    ],
)
def test_a_request_that_asks_a_model_may_be_sent_twice(path, repeatable):
    """One that makes something that is kept may not, by POST; a method that changes nothing more may always."""
    assert head(path).repeatable is repeatable
    assert head(path, "GET").repeatable


def test_a_form_states_its_boundary():
    """Every other body has none."""
    assert head("/v1/files", "POST", (b"content-type", b"multipart/form-data; boundary=b")).boundary == b"b"
    assert head("/v1/files", "POST", (b"content-type", b"application/json")).boundary == b""
    assert head("/v1/files").boundary == b""


@pytest.mark.parametrize(
    ("path", "prices"),
    [
        ("/model/m/invoke", "aws"),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/c:rawPredict", "google"),
        ("/v1/projects/p/locations/l/publishers/google/models/g:generateContent", "google"),
        ("/v1beta/models/g:generateContent", ""),
        ("/v1/chat/completions", ""),
    ],
)
def test_a_path_of_one_cloud_says_whose_prices_apply(path, prices):
    """Whatever the address of the provider is; other paths leave it to the provider."""
    assert ExchangeRecord.FromString(head(path).stated).price_provider == prices
