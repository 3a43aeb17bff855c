from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage as Counts
from genai_prices.data_snapshot import get_snapshot
from hypothesis import example, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ingate import clock
from ingate.exchanges import pricing
from ingate.formats import Usage

NOW = 1_795_000_000 * clock.SECOND
MODELS = [(provider, model) for provider in get_snapshot().providers for model in provider.models]
TOKENS = {"input_mtok", "output_mtok"}
counts = st.none() | st.integers(0, 3_000_000)
usages = st.builds(Usage, input=counts, cache_read=counts, cache_write=counts, output=counts, reasoning=counts)
moments = st.integers(1_700_000_000, 1_900_000_000).map(lambda seconds: seconds * clock.SECOND)


def reference(provider, model, usage, at):
    """Returns what the price list computes for a model of it, in picodollars, at that very moment."""
    moment = datetime.fromtimestamp(at / clock.SECOND, UTC)
    prices = vars(model.get_prices(moment))
    if not any(prices.get(name) is not None for name in TOKENS):
        return None
    cached = (usage.cache_read or 0) + (usage.cache_write or 0)
    counted = Counts(
        input_tokens=(usage.input or 0) + cached,
        cache_read_tokens=usage.cache_read or 0,
        cache_write_tokens=usage.cache_write or 0,
        output_tokens=(usage.output or 0) + (usage.reasoning or 0),
        output_reasoning_tokens=usage.reasoning or 0,
    )
    dollars = model.calc_price(counted, provider, genai_request_timestamp=moment).total_price
    return int((dollars * 10**12).to_integral_value())


def found(provider, model):
    """Tells whether the model's own id leads to it: patterns of others may come first."""
    return pricing._find(provider.id, model.id) == (provider, model)


LISTED = [(provider, model) for provider, model in MODELS if found(provider, model)]


def named(provider_id, model_id):
    return next((p, m) for p, m in LISTED if (p.id, m.id) == (provider_id, model_id))


ALL = Usage(1234, 567, 89, 321, 77)
# The half hours at which its price changes.
DEEPSEEK = named("deepseek", "deepseek-chat")
HALF_PAST = int(datetime(2026, 3, 2, 16, 30, tzinfo=UTC).timestamp()) * clock.SECOND


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(LISTED), usages, moments)
@example(DEEPSEEK, ALL, HALF_PAST)
@example(DEEPSEEK, ALL, HALF_PAST - 1)
@example(named("perplexity", "sonar"), ALL, NOW)
@example(named("perplexity", "sonar-deep-research"), ALL, NOW)
def test_a_cost_is_what_the_price_list_computes(listed, usage, at):
    """To the picodollar: rates, tiers, fees, discounts by the hour and all."""
    provider, model = listed
    expected = None if usage.total is None else reference(provider, model, usage, at)
    assert pricing.cost(provider.id, model.id, usage, at) == expected


def test_every_model_of_the_list_is_priced_as_it_says():
    """One usage with something of each kind, for all of them."""
    wrong = [
        (provider.id, model.id)
        for provider, model in LISTED
        if pricing.cost(provider.id, model.id, ALL, NOW) != reference(provider, model, ALL, NOW)
    ]
    assert wrong == []
    assert len(LISTED) > 1000


def tiered():
    for provider, model in LISTED:
        price = vars(model.get_prices(datetime.fromtimestamp(NOW / clock.SECOND, UTC))).get("input_mtok")
        if tiers := getattr(price, "tiers", None):
            yield provider, model, tiers[0].start


def test_a_long_prompt_costs_its_tier():
    """Cached tokens count for the length; the token after the threshold changes the price of them all."""
    models = list(tiered())
    assert models
    for provider, model, start in models:
        for usage in (Usage(input=start), Usage(input=start + 1), Usage(input=1, cache_read=start, output=1000)):
            expected = reference(provider, model, usage, NOW)
            assert pricing.cost(provider.id, model.id, usage, NOW) == expected


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("no-such-provider", "gpt-4o"),
        ("", "gpt-4o"),
        ("openai", ""),
        ("https://llm.example.com", "gpt-4o"),
        ("://", "gpt-4o"),
        ("http://[", "gpt-4o"),
        ("openai", "🤖\0" * 100),
        ("openai", "whisper-1"),
    ],
)
def test_an_unknown_price_is_unknown(provider, model):
    """None, never zero; so it is where a model is paid by the hour and tokens have no price."""
    assert pricing.cost(provider, model, Usage(input=1), NOW) is None


def test_an_unknown_price_is_said_once():
    """The operator learns of a model without a price, not of each of its exchanges."""
    with capture_logs() as logs:
        for _ in range(3):
            pricing.cost("openai", "said-once", Usage(input=1), NOW)
            pricing.cost("openai", "whisper-1", Usage(input=1), NOW + clock.DAY)
            pricing.cost("openai", "never-said", Usage(), NOW)
    assert [(entry["log_level"], entry["model"]) for entry in logs] == [
        ("warning", "said-once"),
        ("warning", "whisper-1"),
    ]


def test_no_usage_has_no_cost():
    """Unknown tokens have an unknown price."""
    assert pricing.cost("openai", "gpt-4o", Usage(), NOW) is None


def test_prices_are_found_by_address_too():
    """A provider without an id in the list is known by its base URL."""
    usage = Usage(input=1000, output=10)
    by_id = pricing.cost("openai", "gpt-4o", usage, NOW)
    assert by_id == 1000 * 2_500_000 + 10 * 10_000_000
    assert pricing.cost("https://api.openai.com/v1", "gpt-4o", usage, NOW) == by_id


def test_the_demo_is_free():
    """Zero, which is known."""
    assert pricing.cost("demo", "demo", Usage(input=5), NOW) == 0
    assert pricing.cost("demo", "demo", Usage(), NOW) is None


def test_what_was_found_is_kept_within_bounds():
    """Models that callers make up do not fill the memory."""
    for number in range(pricing.CACHED_PRICES + 100):
        pricing._rates("no-such-provider", f"m{number}", 0)
    assert pricing._rates.cache_info().currsize == pricing.CACHED_PRICES


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
    assert pricing.to_usd(pico) == dollars


@given(st.integers(0, 2**63 - 1))
def test_dollars_are_exact(pico):
    """Every amount that a column holds comes back from its digits."""
    text = pricing.to_usd(pico)
    assert Decimal(text) * 10**12 == pico
    assert "e" not in text.lower()
