"""Costs are those of the price list, to the picodollar, for every unit that it prices."""

from datetime import UTC, datetime

import pytest
from genai_prices import Usage as Counts
from genai_prices.data_snapshot import get_snapshot
from genai_prices.units import _get_registry
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ingate import clock
from ingate.pricing import Bill, Source, Usage, bill, passed
from ingate.pricing.card import inclusive
from ingate.pricing.price_list import REMEMBERED, _find, card_of

NOW = 1_795_000_000 * clock.SECOND
MODELS = [(provider, model) for provider in get_snapshot().providers for model in provider.models]
UNITS = _get_registry().units
KINDS = sorted(
    name for name, unit in UNITS.items() if unit.dimensions["family"] == "tokens" and name not in inclusive(Usage())
)
PICO = 10**12
counts = st.none() | st.integers(0, 3_000_000)
usages = st.builds(Usage, input=counts, cache_read=counts, cache_write=counts, output=counts, reasoning=counts)
moments = st.integers(1_700_000_000, 1_900_000_000).map(lambda seconds: seconds * clock.SECOND)
terms = st.sampled_from(
    [(), (("processing", "batch"),), (("service_tier", "flex"),), (("service_tier", "priority"),), (("speed", "fast"),)]
)


def reference(provider, model, counted, at, said=()):
    """Returns what the price list itself computes for a model of it, in picodollars, at that very moment."""
    moment = datetime.fromtimestamp(at / clock.SECOND, UTC)
    price = model.calc_price(
        Counts(**counted), provider, genai_request_timestamp=moment, price_context=dict(said) or None
    )
    return round(price.total_price * PICO)


def priced(provider, model, counted, at, said):
    """Tells whether the list prices each unit that was used, by itself or as part of another."""
    moment = datetime.fromtimestamp(at / clock.SECOND, UTC)
    prices = vars(model.get_prices(moment, dict(said) or None))
    wholes = [unit for unit in UNITS.values() if prices.get(unit.price_key) is not None]
    by_token = any(whole.usage_key in inclusive(Usage()) for whole in wholes)
    return bool(wholes) and all(
        (by_token and name in inclusive(Usage()))
        or any(whole.dimensions.items() <= UNITS[name].dimensions.items() for whole in wholes)
        for name, count in counted.items()
        if count
    )


def found(provider, model):
    """Tells whether the model's own id leads to it: patterns of others may come first."""
    return _find(provider.id, model.id) == (provider, model)


LISTED = [(provider, model) for provider, model in MODELS if found(provider, model)]


def named(provider_id, model_id):
    return next((p, m) for p, m in LISTED if (p.id, m.id) == (provider_id, model_id))


ALL = Usage(1234, 567, 89, 321, 77)
# The half hours at which its price changes.
DEEPSEEK = named("deepseek", "deepseek-chat")
HALF_PAST = int(datetime(2026, 3, 2, 16, 30, tzinfo=UTC).timestamp()) * clock.SECOND


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(LISTED), usages, moments, terms)
@example(DEEPSEEK, ALL, HALF_PAST, ())
@example(DEEPSEEK, ALL, HALF_PAST - 1, ())
@example(named("perplexity", "sonar"), ALL, NOW, ())
@example(named("perplexity", "sonar-deep-research"), ALL, NOW, ())
def test_a_cost_is_what_the_price_list_computes(listed, usage, at, said):
    """To the picodollar: rates, tiers, fees, service tiers, batches, discounts by the hour and all."""
    provider, model = listed
    assume(usage.total is not None)
    expected = None
    if priced(provider, model, inclusive(usage), at, said):
        expected = reference(provider, model, inclusive(usage), at, said)
    assert bill(provider.id, model.id, usage, at, (), said).cost == expected


@settings(max_examples=400, deadline=None)
@given(st.data(), st.sampled_from(LISTED), usages, terms)
def test_every_kind_of_token_is_priced_as_the_list_says(data, listed, usage, said):
    """Kinds that overlap are taken apart as the list takes them apart; what contradicts itself has no price."""
    provider, model = listed
    assume(usage.total is not None)
    kinds = data.draw(st.dictionaries(st.sampled_from(KINDS), st.integers(1, 1_000_000), max_size=4))
    counted = inclusive(usage) | kinds
    made = bill(provider.id, model.id, usage, NOW, tuple(kinds.items()), said)
    if not priced(provider, model, counted, NOW, said):
        assert (made.cost, made.source) == (None, Source.UNKNOWN)
        return
    try:
        expected = reference(provider, model, counted, NOW, said)
    except ValueError as error:
        assume("explicit" not in str(error))  # the list wants zeros spelled out
        assert made == Bill(None, Source.UNKNOWN, "the answer's counts contradict one another")
    else:
        assert made.cost == expected


def test_every_model_of_the_list_is_priced_as_it_says():
    """One usage with something of each bucket, for all of them."""
    wrong = [
        (provider.id, model.id)
        for provider, model in LISTED
        if priced(provider, model, inclusive(ALL), NOW, ())
        and bill(provider.id, model.id, ALL, NOW).cost != reference(provider, model, inclusive(ALL), NOW)
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
            expected = reference(provider, model, inclusive(usage), NOW)
            assert bill(provider.id, model.id, usage, NOW).cost == expected


def usd(dollars):
    return round(dollars * PICO)


@pytest.mark.parametrize(
    ("provider", "model", "usage", "units", "said", "dollars"),
    [
        # half of 1,000 * 1 + 1,000 * 5 dollars a million
        ("anthropic", "claude-haiku-4-5", Usage(1000, 0, 0, 1000), {}, (("processing", "batch"),), 0.003),
        # 10,000 * 1.25 + 200 * 10 dollars a million, 2 * 10 dollars a thousand
        ("openai", "gpt-5", Usage(10_000, None, None, 200), {"web_searches": 2}, (), 0.0345),
        # flex: 10,000 * 0.625 + 1,000 * 0.0625 + 200 * 5 dollars a million
        ("openai", "gpt-5", Usage(10_000, 1000, None, 200), {}, (("service_tier", "flex"),), 0.0073125),
        # priority: 10,000 * 2.5 + 200 * 20 dollars a million
        ("openai", "gpt-5", Usage(10_000, None, None, 200), {}, (("service_tier", "priority"),), 0.029),
        # standard, by its other names: 10,000 * 1.25 + 200 * 10 dollars a million
        ("openai", "gpt-5", Usage(10_000, None, None, 200), {}, (("service_tier", "default"),), 0.0145),
        ("openai", "gpt-5", Usage(10_000, None, None, 200), {}, (("service_tier", "auto"),), 0.0145),
        # 50 * 2.5 + 1,000 * 6 + 45 * 10 dollars a million
        ("openai", "gpt-4o-transcribe", Usage(1050, None, None, 45), {"input_audio_tokens": 1000}, (), 0.006575),
        # 50 * 5 + 4,160 * 40 dollars a million
        ("openai", "gpt-image-1", Usage(50, None, None, 4160), {}, (), 0.16665),
        # 3 seconds are paid as 10, at 0.04 dollars an hour
        ("groq", "whisper-large-v3-turbo", Usage(), {"audio_seconds": 3}, (), 0.04 / 360),
        ("https://api.groq.com/openai/v1", "whisper-large-v3-turbo", Usage(), {"audio_seconds": 3}, (), 0.04 / 360),
        # 10,000 * 2 + 200 * 12 dollars a million, 2 * 14 dollars a thousand
        ("google", "gemini-3-pro-preview", Usage(10_000, None, None, 200), {"web_searches": 2}, (), 0.0504),
    ],
)
def test_terms_and_models_make_the_price(provider, model, usage, units, said, dollars):  # noqa: PLR0917 -- a table
    """Worked out by hand beside each."""
    made = bill(provider, model, usage, NOW, tuple(units.items()), said)
    assert (made.cost, made.source) == (usd(dollars), Source.LIST)


def test_each_pass_of_a_turn_has_its_own_price():
    """A compaction at the answer's price, advice at the adviser's; each has its own length for the tiers."""
    compacted = passed("compaction", Usage(180_000, 0, 0, 3_500), ())
    # (180,000 + 23,000) * 5 + (3,500 + 1,000) * 25 dollars a million
    whole = Usage(203_000, 0, 0, 4_500)
    assert bill("anthropic", "claude-opus-4-6", whole, NOW, compacted).cost == usd(1.1275)
    # both passes are below the 200,000 tokens above which this model costs more: 203,000 * 3 + 4,500 * 15
    assert bill("anthropic", "claude-sonnet-4-5", whole, NOW, compacted).cost == usd(0.6765)
    # 412 * 1 + 531 * 5, and twice 1,000 * 5 + 100 * 25 dollars a million
    advice = passed("claude-opus-4-6", Usage(1000, 0, 0, 100), ())
    twice = advice + passed("claude-opus-4-6", Usage(1000, 0, 0, 100), (), (name for name, _ in advice))
    assert [name for name, _ in twice] == [
        "claude-opus-4-6:input_tokens",
        "claude-opus-4-6:output_tokens",
        "claude-opus-4-6#2:input_tokens",
        "claude-opus-4-6#2:output_tokens",
    ]
    assert bill("anthropic", "claude-haiku-4-5", Usage(412, 0, 0, 531), NOW, twice).cost == usd(0.018067)


def test_a_unit_without_a_price_leaves_the_cost_unknown():
    """With the reason; never a sum that leaves something out."""
    made = bill("openai", "gpt-3.5-turbo", Usage(10, None, None, 1), NOW, (("web_searches", 1),))
    assert made == Bill(None, Source.UNKNOWN, "no price is known for web_searches of gpt-3.5-turbo")
    made = bill("openai", "no-such-model", Usage(10, None, None, 1), NOW)
    assert made == Bill(None, Source.UNKNOWN, "no price is known for no-such-model")
    advised = passed("no-such-model", Usage(1), ())
    assert bill("anthropic", "claude-haiku-4-5", Usage(1), NOW, advised).reason == "no price is known for no-such-model"


def test_a_cost_that_the_provider_states_stands_in():
    """Where the list has no price; where it has one, the list's counts, and a difference is told."""
    stated = (("provider_cost_usd", "0.00125"),)
    assert bill("https://llm.example.com", "m", Usage(1), NOW, (), stated) == Bill(usd(0.00125), Source.PROVIDER)
    assert bill("https://llm.example.com", "m", Usage(), NOW, (), stated) == Bill(usd(0.00125), Source.PROVIDER)
    differs = "the provider states 0.00125 USD: it charges by other rates than the price list"
    assert bill("openai", "gpt-4o", Usage(1000), NOW, (), stated) == Bill(usd(0.0025), Source.LIST, differs)
    assert bill("openai", "gpt-4o", Usage(500), NOW, (), stated) == Bill(usd(0.00125), Source.LIST)
    rounded = "the provider states 0.00125 USD, rounded"
    assert bill("openai", "gpt-4o", Usage(502), NOW, (), stated) == Bill(usd(0.001255), Source.LIST, rounded)
    assert bill("openai", "gpt-4o", Usage(503), NOW, (), stated) == Bill(usd(0.0012575), Source.LIST, differs)
    free = (("provider_cost_usd", "0"),)
    assert bill("openai", "gpt-4o", Usage(1), NOW, (), free).reason == differs.replace("0.00125", "0")
    for odd in ("", "x", "-1", "NaN", "Infinity", "1e99"):
        assert bill("https://llm.example.com", "m", Usage(1), NOW, (), (("provider_cost_usd", odd),)).cost is None


def test_terms_without_a_price_are_told():
    """Beside the usual price: where the provider sells other models on such terms, it is not what was paid."""
    flex, scale = (("service_tier", "flex"),), (("service_tier", "scale"),)
    reason = "no price of this model is known for service_tier flex: the usual one is taken"
    # 1,000 * 0.3 dollars a million
    assert bill("google", "gemini-2.5-flash", Usage(1000), NOW, (), flex) == Bill(usd(0.0003), Source.LIST, reason)
    units = (("input_audio_tokens", 1000),)
    # 1,000 * 1 dollar a million
    assert bill("google", "gemini-2.5-flash", Usage(1000), NOW, units, flex) == Bill(usd(0.001), Source.LIST, reason)
    # 1,000 * 0.625 dollars a million
    assert bill("openai", "gpt-5", Usage(1000), NOW, (), flex) == Bill(usd(0.000625), Source.LIST)
    assert bill("openai", "gpt-5", Usage(1000), NOW, (), scale) == Bill(usd(0.00125), Source.LIST)
    assert bill("groq", "llama-3.3-70b-versatile", Usage(1000), NOW, (), flex) == Bill(usd(0.00059), Source.LIST)


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
    made = bill(provider, model, Usage(input=1), NOW)
    assert (made.cost, made.source) == (None, Source.UNKNOWN)
    assert made.reason


def test_an_unknown_price_is_logged_once():
    """The operator learns of a model without a price, not of each of its exchanges."""
    with capture_logs() as logs:
        for _ in range(3):
            bill("openai", "said-once", Usage(input=1), NOW)
            bill("openai", "never-said", Usage(), NOW)
    assert [(entry["log_level"], entry["model"]) for entry in logs] == [("warning", "said-once")]


def test_no_usage_has_no_cost():
    """Unknown tokens have an unknown price."""
    assert bill("openai", "gpt-4o", Usage(), NOW) == Bill(None, Source.UNKNOWN)


def test_prices_are_found_by_address_too():
    """A provider without an id in the list is known by its base URL."""
    usage = Usage(input=1000, output=10)
    by_id = bill("openai", "gpt-4o", usage, NOW)
    assert by_id.cost == 1000 * 2_500_000 + 10 * 10_000_000
    assert bill("https://api.openai.com/v1", "gpt-4o", usage, NOW) == by_id
    # 1,000 * 0.59 + 10 * 0.79 dollars a million: the address goes before the type
    llama = "llama-3.3-70b-versatile"
    assert bill("openai https://api.groq.com/openai/v1", llama, usage, NOW).cost == usd(0.0005979)
    assert bill("openai https://api.groq.com/openai/v1", "gpt-4o", usage, NOW).cost is None
    assert bill("openai http://gateway.internal:8080/v1", "gpt-4o", usage, NOW) == by_id


def test_the_demo_has_a_price_that_nobody_pays():
    """Each bucket has its rate, whatever the model is called, and the source says whose price it is."""
    every = Usage(input=5, cache_read=10, cache_write=4, output=2, reasoning=1)
    assert bill("demo", "demo", Usage(input=5), NOW) == Bill(5_000_000, Source.DEMO)
    assert bill("demo", "gpt-4o", every, NOW) == Bill(5_000_000 + 1_000_000 + 5_000_000 + 12_000_000, Source.DEMO)
    assert bill("demo", "demo", Usage(), NOW).cost is None


def test_what_was_found_is_kept_within_bounds():
    """Models that callers make up do not fill the memory, neither ours nor the list's own."""
    snapshot = get_snapshot()
    memories = (snapshot._lookup_cache, snapshot._provider_cache, snapshot._provider_misses)
    sizes = list(map(len, memories))
    for number in range(REMEMBERED + 100):
        card_of(("openai", "no-such-provider", "https://api.openai.com")[number % 3], f"m{number}", 0)
    assert card_of.cache_info().currsize == REMEMBERED
    assert list(map(len, memories)) == sizes


def test_a_count_costs_nothing():
    """An answer that counted and used nothing, whoever gave it; an answer that says neither is unknown."""
    counted = (("counted_tokens", "11"),)
    assert bill("openai", "gpt-5", Usage(), NOW, (), counted) == Bill(0, Source.LIST)
    assert bill("https://unknown.example", "m", Usage(), NOW, (), counted) == Bill(0, Source.LIST)
    assert bill("openai", "gpt-5", Usage(), NOW) == Bill(None, Source.UNKNOWN)
    # What was used all the same is paid: 10 * 1.25 dollars a million.
    assert bill("openai", "gpt-5", Usage(input=10), NOW, (), counted).cost == usd(12.5 / 1e6)


def test_a_model_that_is_paid_by_the_second_gives_its_tokens_away():
    """Where seconds are stated; tokens alone have no price there."""
    seconds = (("audio_seconds", 3600),)
    assert bill("openai", "whisper-1", Usage(100, 0, None, 50), NOW, seconds) == Bill(usd(0.36), Source.LIST)
    alone = bill("openai", "whisper-1", Usage(100, 0, None, 50), NOW)
    assert (alone.cost, alone.reason) == (None, "no price is known for input_tokens of whisper-1")
    # A model that has a price of tokens and none of seconds is not known by its tokens alone.
    assert bill("openai", "gpt-4o-transcribe", Usage(100), NOW, seconds).cost is None
