"""Recognises keys of vendors by their prefix, to advise callers who send one in place of a key of the gateway."""

from collections.abc import Iterable, Mapping

from ingate.ids import KEY_PREFIX, SECRET_PREFIXES

HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
"""Headers in which vendors' clients send their key."""
_BEARER = "bearer "

_VENDORS = {
    "sk-ant-": "Anthropic",
    "sk-proj-": "OpenAI",
    "sk-svcacct-": "OpenAI",
    "sk-admin-": "OpenAI",
    "sk-or-": "OpenRouter",
    "sk-": "OpenAI or another vendor",
    "AIza": "Google",
    "AQ.": "Google",
    "ya29.": "Google",
    "gsk_": "Groq",
    "xai-": "xAI",
    "pplx-": "Perplexity",
    "hf_": "Hugging Face",
    "nvapi-": "NVIDIA",
    "csk-": "Cerebras",
    "fw_": "Fireworks",
    "r8_": "Replicate",
    "tgp_v1_": "Together",
    "github_pat_": "GitHub",
    "ghp_": "GitHub",
    "dapi": "Databricks",
    "bedrock-api-key-": "Amazon Bedrock",
}
"""Vendors by the prefix of their keys; the first prefix that fits counts."""


def advice(secrets: Iterable[str]) -> str | None:
    """Returns advice for a caller who sends a vendor's key, None where none of these values is one.

    The advice quotes no more of a key than its prefix. A value may begin with `Bearer`, as in a header.
    """
    for secret in map(bare, secrets):
        if secret.startswith(SECRET_PREFIXES):
            continue
        for prefix, vendor in _VENDORS.items():
            if secret.startswith(prefix):
                return (
                    f"this is a key of {vendor}: it begins with {prefix}. The gateway takes its own keys, which begin"
                    f" with {KEY_PREFIX}, in X-Ingate-Key or where your SDK sends its API key; an owner makes one with"
                    " POST /api/v1/keys or `ingate keys create`. The vendor's key belongs to a provider of the gateway:"
                    " POST /api/v1/providers or `ingate providers add`"
                )
    return None


def bare(value: str) -> str:
    """Returns the value of a header without the scheme `Bearer`, where it has that."""
    return value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else value


def shown(headers: Mapping[str, str]) -> Iterable[str]:
    """Returns the values of the headers in which vendors' clients send their key."""
    return [value for name in HEADERS if (value := headers.get(name))]
