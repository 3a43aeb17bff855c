"""Every unit that the price list knows is paid, to the picodollar, as worked out by hand beside it."""

from decimal import Decimal

import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice
from genai_prices.units import _get_registry

from ingate import clock
from ingate.pricing import Source, Usage, bill
from ingate.pricing.card import REQUESTS, card
from ingate.pricing.price_list import SLOT, card_of

NOW = 1_795_000_000 * clock.SECOND
UNITS = _get_registry().units
PICO = 10**12

ROWS = [
    # 1,234 * 2.5 dollars a million
    ("input_tokens", "openai", "gpt-4o", Usage(input=1234), {}, "0.003085"),
    # 100 * 2.5 + 2,000 * 1.25 dollars a million
    ("cache_read_tokens", "openai", "gpt-4o", Usage(100, 2000), {}, "0.00275"),
    # 10 * 1 + 1,000,000 * 1.25 dollars a million
    ("cache_write_tokens", "anthropic", "claude-haiku-4-5", Usage(10, 0, 1_000_000), {}, "1.25001"),
    # 10 * 1 + 400,000 * 1.25 + 600,000 * 2 + 20 * 5 dollars a million
    (
        "cache_write_1h_tokens",
        "anthropic",
        "claude-haiku-4-5",
        Usage(10, 0, 1_000_000, 20),
        {"cache_write_1h_tokens": 600_000},
        "1.70011",
    ),
    # 10 * 2.5 + 321 * 10 dollars a million
    ("output_tokens", "openai", "gpt-4o", Usage(input=10, output=321), {}, "0.003235"),
    # 33 * 2 + 7,163 * 8 + 73,997 * 3 dollars a million
    (
        "output_reasoning_tokens",
        "perplexity",
        "sonar-deep-research",
        Usage(33, None, None, 7163, 73_997),
        {},
        "0.279361",
    ),
    # 1,000 * 2 + 100 * 8 + 400 * 2 dollars a million
    (
        "output_citation_tokens",
        "perplexity",
        "sonar-deep-research",
        Usage(1000, None, None, 500),
        {"output_citation_tokens": 400},
        "0.0036",
    ),
    # 100 * 0.3 + 900 * 1 + 100 * 2.5 dollars a million
    (
        "input_audio_tokens",
        "google",
        "gemini-2.5-flash",
        Usage(1000, None, None, 100),
        {"input_audio_tokens": 900},
        "0.00118",
    ),
    # of 1,000 cached tokens 400 are audio: 600 * 0.03 + 400 * 0.1 dollars a million
    (
        "cache_audio_read_tokens",
        "google",
        "gemini-2.5-flash",
        Usage(0, 1000),
        {"input_audio_tokens": 400, "cache_audio_read_tokens": 400},
        "0.000058",
    ),
    # 18 * 2.5 + 40 * 10 + 150 * 64 dollars a million
    (
        "output_audio_tokens",
        "openai",
        "gpt-audio",
        Usage(18, None, None, 190),
        {"output_audio_tokens": 150},
        "0.010045",
    ),
    # 100 * 5 + 300 * 10 + 1,000 * 40 dollars a million
    (
        "input_image_tokens",
        "openai",
        "gpt-image-1",
        Usage(400, None, None, 1000),
        {"input_image_tokens": 300},
        "0.0435",
    ),
    # of 1,000 cached tokens 800 are an image: 200 * 1.25 + 800 * 2.5 dollars a million
    (
        "cache_image_read_tokens",
        "openai",
        "gpt-image-1",
        Usage(0, 1000),
        {"input_image_tokens": 800, "cache_image_read_tokens": 800},
        "0.00225",
    ),
    # 10 * 0.3 + 12 * 2.5 + 1,290 * 30 dollars a million
    (
        "output_image_tokens",
        "google",
        "gemini-2.5-flash-image",
        Usage(10, None, None, 1302),
        {"output_image_tokens": 1290},
        "0.038733",
    ),
    # 500 * 0.2 + 3,000 * 12 dollars a million
    ("input_video_tokens", "google", "gemini-embedding-2", Usage(3500), {"input_video_tokens": 3000}, "0.0361"),
    # 20 * 1.5 + 100 * 9 + 5,000 * 17.5 dollars a million
    (
        "output_video_tokens",
        "google",
        "gemini-omni-flash-preview",
        Usage(20, None, None, 5100),
        {"output_video_tokens": 5000},
        "0.08843",
    ),
    # 1,000,000 characters at 15 dollars a million
    ("input_characters", "openai", "tts-1", Usage(), {"input_characters": 1_000_000}, "15"),
    # 25 messages at 4 dollars a thousand, 60 seconds at 4.8 dollars an hour
    (
        "input_text_messages",
        "x-ai",
        "grok-voice-think-fast-2.0",
        Usage(),
        {"input_text_messages": 25, "audio_seconds": 60},
        "0.18",
    ),
    # 90 seconds at 4.8 dollars an hour
    ("audio_seconds", "x-ai", "grok-voice-think-fast-2.0", Usage(), {"audio_seconds": 90}, "0.12"),
    # 90 seconds, all of them heard, at 0.36 dollars an hour
    ("input_audio_seconds", "openai", "whisper-1", Usage(), {"audio_seconds": 90}, "0.009"),
    # 7 pages at 2 dollars a thousand
    ("input_document_pages", "mistral", "mistral-ocr-2512", Usage(), {"input_document_pages": 7}, "0.014"),
    # of 10 pages 4 are annotated: 6 at 2 and 4 at 3 dollars a thousand
    (
        "input_annotated_document_pages",
        "mistral",
        "mistral-ocr-2512",
        Usage(),
        {"input_document_pages": 10, "input_annotated_document_pages": 4},
        "0.024",
    ),
    # 10,000 * 1 + 200 * 5 dollars a million, 3 at 10 dollars a thousand
    (
        "web_searches",
        "anthropic",
        "claude-haiku-4-5",
        Usage(10_000, None, None, 200),
        {"web_searches": 3},
        "0.041",
    ),
    # 1,000 * 1.25 dollars a million, 4 at 2.5 dollars a thousand
    ("storage_searches", "openai", "gpt-5", Usage(1000), {"storage_searches": 4}, "0.01125"),
    # 1,000 * 3 + 100 * 15 dollars a million, and one at 14 dollars a thousand
    ("requests", "perplexity", "sonar-pro", Usage(1000, None, None, 100), {}, "0.0185"),
]

OF_NO_MODEL = {
    # 1,000 tokens at 3 dollars a million
    **dict.fromkeys(
        (
            "cache_write_5m_tokens",
            "input_text_tokens",
            "output_text_tokens",
            "cache_text_read_tokens",
            "cache_text_write_tokens",
            "cache_text_write_5m_tokens",
            "cache_text_write_1h_tokens",
            "cache_audio_write_tokens",
            "cache_audio_write_5m_tokens",
            "cache_audio_write_1h_tokens",
            "cache_image_write_tokens",
            "cache_image_write_5m_tokens",
            "cache_image_write_1h_tokens",
            "cache_video_read_tokens",
            "cache_video_write_tokens",
            "cache_video_write_5m_tokens",
            "cache_video_write_1h_tokens",
            "input_tool_tokens",
            "input_text_tool_tokens",
            "input_audio_tool_tokens",
            "input_image_tool_tokens",
            "input_video_tool_tokens",
            "output_text_reasoning_tokens",
            "output_audio_reasoning_tokens",
            "output_image_reasoning_tokens",
            "output_video_reasoning_tokens",
            "output_text_citation_tokens",
            "output_audio_citation_tokens",
            "output_image_citation_tokens",
            "output_video_citation_tokens",
        ),
        (1000, "3", "0.003"),
    ),
    # 90 seconds at 3.6 dollars an hour
    "output_audio_seconds": (90, "3.6", "0.09"),
    # half a thousand million at 8 dollars a thousand million
    "input_pixels": (500_000_000, "8", "4"),
    # 7 at 2 dollars a thousand
    "rerank_searches": (7, "2", "0.014"),
    # 3 at 5 dollars a thousand
    "social_searches": (3, "5", "0.015"),
    "code_executions": (3, "5", "0.015"),
}
"""Units that the list names and gives no model a price for: how many are used, a price made up, and dollars."""


def usd(dollars):
    return int(Decimal(dollars) * PICO)


@pytest.mark.parametrize(("unit", "provider", "model", "usage", "units", "dollars"), ROWS, ids=[row[0] for row in ROWS])
def test_a_unit_is_paid(unit, provider, model, usage, units, dollars):  # noqa: PLR0917 -- a table
    """At a price of its own, which the model has."""
    made = bill(provider, model, usage, NOW, tuple(units.items()))
    assert (made.cost, made.source) == (usd(dollars), Source.LIST)
    prices = card_of(provider, model, NOW // SLOT)
    assert prices.fee if unit == REQUESTS else unit in {line.unit for line in prices.lines}


@pytest.mark.parametrize("unit", OF_NO_MODEL)
def test_a_unit_of_no_model_could_be_paid(unit):
    """As soon as the list has a price."""
    count, price, dollars = OF_NO_MODEL[unit]
    made = card(ModelPrice(**{UNITS[unit].price_key: Decimal(price)}), UNITS)
    assert made.cost({unit: count}) == usd(dollars)


def priced():
    """Returns the units that some model has a price for, at any time and on any terms."""
    keys = set()
    for model in (model for provider in get_snapshot().providers for model in provider.models):
        plain = [] if isinstance(model.prices, list) else [model.prices]
        dated = [] if plain else model.prices
        for prices in (*plain, *(each.prices for each in (*dated, *(model.price_variants or ())))):
            keys |= {key for key, price in vars(prices).items() if price is not None}
    return {name for name, unit in UNITS.items() if unit.price_key in keys}


def test_each_unit_has_its_row():
    """A list that knows another unit, or has the first price of one, wants a row for it."""
    assert sorted(row[0] for row in ROWS) == sorted(priced())
    assert sorted(OF_NO_MODEL) == sorted(UNITS.keys() - priced())
