"""What is worked out of a provider once, for all its calls."""

import pytest

from tests.support.targets import target


@pytest.mark.parametrize(
    ("type", "base_url", "prices"),
    [
        ("openai", "https://api.openai.com", "openai"),
        ("openai", "https://api.openai.com/v1", "openai"),
        ("openai", "https://api.groq.com/openai/v1", "openai https://api.groq.com/openai/v1"),
        ("anthropic", "https://api.deepseek.com/anthropic", "anthropic https://api.deepseek.com/anthropic"),
        ("azure-openai", "https://shop.openai.azure.com", "azure https://shop.openai.azure.com"),
        ("openai-compatible", "https://api.x.ai/v1", "https://api.x.ai/v1"),
        ("demo", "http://demo.invalid", "demo"),
    ],
)
def test_prices_are_those_of_who_is_at_the_address(type, base_url, prices):
    """A type of provider may be spoken by another: its own prices apply where the list does not know who that is."""
    assert target("p", type, base_url).price_provider == prices
