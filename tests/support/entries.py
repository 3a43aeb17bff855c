"""What a log entry must say of one exchange, in one place for every SDK."""

from decimal import Decimal

MILLION = 1_000_000


def dollars(entry):
    """Returns the cost of a log entry, exact; None where it is unknown."""
    return None if entry["cost_usd"] is None else Decimal(str(entry["cost_usd"]))


def demo_dollars(input=0, output=0):
    """Returns what the demo model's price makes of so many tokens."""
    return (input * 1 + output * 4) / Decimal(MILLION)


def assert_answered(entry, *, provider, model, stream, **tokens):
    """Checks an exchange that went well: who, how long, which bodies, and the token counts by their field's first word.

    `assert_answered(entry, provider="openai", model="gpt-4o", stream=True, input=7, output=5, cache_read=4)`
    """
    said = {name: entry[name] for name in ("provider", "served_by", "model", "stream", "level", "error_code", "source")}
    assert said == {
        "provider": provider,
        "served_by": provider,
        "model": model,
        "stream": stream,
        "level": "info",
        "error_code": None,
        "source": "proxy",
    }
    assert entry["status_code"] == 200
    assert [(it["provider"], it["status_code"], it["error"]) for it in entry["attempts"]] == [(provider, 200, None)]
    assert 0 < entry["ttft_ms"] <= entry["latency_ms"] < 30_000
    assert {name: entry[f"{name}_tokens"] for name in tokens} == tokens
    if tokens:
        buckets = [entry[f"{name}_tokens"] for name in ("input", "output", "cache_read", "cache_write", "reasoning")]
        assert entry["total_tokens"] == sum(count or 0 for count in buckets)
    assert entry["request_headers"]["host"]
    assert entry["response_headers"]["content-type"]
    assert entry["request_body"] is None or entry["request_body"]
    assert entry["response_body"]
    assert entry["truncated"] is False
