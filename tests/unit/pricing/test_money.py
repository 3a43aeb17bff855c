from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.pricing import MAX_PICO, to_pico, to_usd


@pytest.mark.parametrize(
    ("pico", "dollars"),
    [
        (None, None),
        (0, "0"),
        (1, "0.000000000001"),
        (2_500_000, "0.0000025"),
        (10**12, "1"),
        (10**14, "100"),
        (123_450_000_000_000, "123.45"),
        (2**63 - 1, "9223372.036854775807"),
    ],
)
def test_dollars_are_plain_digits(pico, dollars):
    """No exponent, no trailing zeros."""
    assert to_usd(pico) == dollars


@given(st.integers(0, MAX_PICO))
def test_dollars_are_exact(pico):
    """Every amount that a column holds comes back from its digits."""
    text = to_usd(pico)
    assert Decimal(text) * 10**12 == pico
    assert "e" not in text.lower()


@pytest.mark.parametrize(
    ("dollars", "pico"),
    [
        ("0", 0),
        ("1.5", 1_500_000_000_000),
        ("1E-6", 1_000_000),
        ("", None),
        ("-1", None),
        ("NaN", None),
        ("9e99", None),
    ],
)
def test_an_amount_is_read_as_it_is_written(dollars, pico):
    """What is no amount, or larger than a column holds, is None."""
    assert to_pico(dollars) == pico
