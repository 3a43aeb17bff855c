"""Keys of vendors, told by how they begin: what a caller hears who sends one in place of a key of the gateway."""

from collections.abc import Iterable, Mapping

from ingate.ids import KEY_PREFIX, SECRET_PREFIXES

HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
"""Headers in which vendors' clients send their key."""

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
"""By the beginning of a key; the first that fits counts."""


def advice(secrets: Iterable[str]) -> str | None:
    """Returns what to tell whoever shows one of these, None where none is a vendor's key. Nothing of a key is in it.

    A value may begin with `Bearer`, as in a header.
    """
    for secret in secrets:
        bare = secret[7:].lstrip() if secret[:7].lower() == "bearer " else secret
        if bare.startswith(SECRET_PREFIXES):
            continue
        for prefix, vendor in _VENDORS.items():
            if bare.startswith(prefix):
                return (
                    f"this is a key of {vendor}: it begins with {prefix}. The gateway takes its own keys, which begin"
                    f" with {KEY_PREFIX}, in X-Ingate-Key or where your SDK sends its API key; an owner makes one with"
                    " POST /api/v1/keys or `ingate keys create`. The vendor's key belongs to a provider of the gateway:"
                    " POST /api/v1/providers or `ingate providers add`"
                )
    return None


def shown(headers: Mapping[str, str]) -> Iterable[str]:
    """Returns the values of the headers in which vendors' clients send their key."""
    return [value for name in HEADERS if (value := headers.get(name))]
