"""Whoever sends a vendor's key to the gateway is told so, and nothing of the key is repeated."""

import pytest

from ingate import ids, key_formats
from ingate.vendor_keys import advice

SECRET = "CanaryCanaryCanary0123456789"


@pytest.mark.parametrize(
    ("beginning", "vendor"),
    [
        ("sk-proj-", "OpenAI"),
        ("sk-svcacct-", "OpenAI"),
        ("sk-ant-api03-", "Anthropic"),
        ("sk-ant-oat01-", "Anthropic"),
        ("sk-or-v1-", "OpenRouter"),
        ("sk-", "OpenAI or another vendor"),
        ("AIzaSy", "Google"),
        ("AQ.Ab8", "Google"),
        ("gsk_", "Groq"),
        ("xai-", "xAI"),
        ("hf_", "Hugging Face"),
    ],
)
@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer  "])
def test_a_vendors_key_is_told(beginning, vendor, scheme):
    """Whose it is, what is taken instead, where that comes from, and where the vendor's key belongs."""
    said = advice(["", scheme + beginning + SECRET])
    assert said.startswith(f"this is a key of {vendor}: it begins with ")
    for part in ("sk-ingate-", "X-Ingate-Key", "POST /api/v1/keys", "`ingate keys create`", "POST /api/v1/providers"):
        assert part in said
    assert "Canary" not in said


@pytest.mark.parametrize(
    "secret",
    ["", "x", "Bearer", key_formats.new_secret(), "ing_" + SECRET, ids.new_session_token(), "eyJhbGciOi.J9.x", SECRET],
    ids=["none", "short", "scheme", "key", "old key", "session", "token", "text"],
)
def test_anything_else_is_not(secret):
    """Keys of the gateway that do not work are a different matter, and unknown texts are nobody's."""
    assert advice([secret, f"Bearer {secret}"]) is None
