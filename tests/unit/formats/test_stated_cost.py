"""A cost that is stated is read however it is written; what is none is no cost, and raises nothing."""

import json

import pytest
from msgspec import Raw

from ingate.formats import Format, read_response
from ingate.formats.stated_cost import stated_cost
from tests.support.recordings import JSON


@pytest.mark.parametrize(
    ("cost", "dollars"),
    [
        (b"0.5", "0.5"),
        (b"3.21e-05", "0.0000321"),
        (b"0.00017850000000000003", "0.00017850000000000003"),
        (b'"0.5"', "0.5"),
        (b"0", "0"),
        (b'{"total_cost":0.006}', "0.006"),
        (b'{"total_cost":null}', None),
        (b'{"total_cost":{}}', None),
        (b"{}", None),
        (b"{", None),
        (b"[1]", None),
        (b"null", None),
        (b"true", None),
        (b"-1", None),
        (b'"x"', None),
        (b'"NaN"', None),
        (b"NaN", None),
        (b'"-Infinity"', None),
        # Written out, these are as long as their exponents say.
        (b"1e999999999", None),
        (b'"0e-99999999"', None),
        (b"\xff", None),
        (b"", None),
        (b"1" * 41, None),
    ],
)
def test_a_cost_is_plain_digits(cost, dollars):
    """Or nothing."""
    assert stated_cost(Raw(cost), None) == dollars


@pytest.mark.parametrize(
    "odd", [1, 0.5, "0.5", "x", -1, None, True, [], {}, [{}], {"total_cost": []}, {"upstream_inference_cost": {}}]
)
@pytest.mark.parametrize("name", ["cost", "estimated_cost", "cost_in_usd_ticks", "is_byok", "cost_details"])
def test_an_odd_cost_spoils_nothing(name, odd):
    """Whatever a provider states as a cost, in each format that has one, its counts are still read."""
    for format, first in (
        (Format.OPENAI_CHAT, "prompt_tokens"),
        (Format.OPENAI_RESPONSES, "input_tokens"),
        (Format.ANTHROPIC_MESSAGES, "input_tokens"),
    ):
        usage = {first: 3, "cost": 1, "is_byok": True, "cost_details": {"upstream_inference_cost": 2}, name: odd}
        assert read_response(format, JSON, "", json.dumps({"model": "m", "usage": usage}).encode()).usage.input == 3


def test_a_fee_for_a_key_of_ones_own_is_added():
    """The provider of the model charges beside it."""
    usage = {"cost": 0.05, "is_byok": True, "cost_details": {"upstream_inference_cost": 1}}
    facts = read_response(Format.OPENAI_CHAT, JSON, "", json.dumps({"model": "m", "usage": usage}).encode())
    assert facts.terms == (("provider_cost_usd", "1.05"),)
