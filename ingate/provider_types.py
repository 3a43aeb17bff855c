"""What each type of provider is like: address, credential, wire formats, and its name in price lists. Pure."""

from dataclasses import dataclass

from gen.ingate.providers.v1.provider_pb2 import (
    PROVIDER_TYPE_ANTHROPIC,
    PROVIDER_TYPE_AZURE_OPENAI,
    PROVIDER_TYPE_DEMO,
    PROVIDER_TYPE_GEMINI,
    PROVIDER_TYPE_HTTP,
    PROVIDER_TYPE_OLLAMA,
    PROVIDER_TYPE_OPENAI,
    PROVIDER_TYPE_OPENAI_COMPATIBLE,
)
from ingate.formats import JUDGED, Format

_CHAT = frozenset({Format.OPENAI_CHAT, Format.OPENAI_COMPLETIONS, Format.OPENAI_RESPONSES, Format.OPENAI_EMBEDDINGS})
_MEDIA = frozenset(
    {Format.OPENAI_TRANSCRIPTIONS, Format.OPENAI_SPEECH, Format.OPENAI_IMAGES, Format.OPENAI_MODERATIONS}
)
_OPENAI = _CHAT | _MEDIA
_OLLAMA = frozenset({Format.OLLAMA})


@dataclass(frozen=True, slots=True)
class Kind:
    """The defaults of a provider type.

    `speaks` lists the wire formats that its paths are recognised for; `natural` those for which it is
    the type meant by a path when a request names no provider. `headers` are sent unless the caller sends its own.
    `models` is where it lists its models, as many as it lists at once; empty where that is not known.
    """

    base_url: str
    auth_header: str
    auth_format: str
    speaks: frozenset[Format]
    natural: frozenset[Format] = frozenset()
    price_provider: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    models: str = "/v1/models"


KINDS: dict[int, Kind] = {
    PROVIDER_TYPE_OPENAI: Kind("https://api.openai.com", "authorization", "Bearer {key}", _OPENAI, _OPENAI, "openai"),
    PROVIDER_TYPE_ANTHROPIC: Kind(
        "https://api.anthropic.com",
        "x-api-key",
        "{key}",
        frozenset({Format.ANTHROPIC_MESSAGES}),
        frozenset({Format.ANTHROPIC_MESSAGES}),
        "anthropic",
        (("anthropic-version", "2023-06-01"),),
        models="/v1/models?limit=1000",
    ),
    PROVIDER_TYPE_GEMINI: Kind(
        "https://generativelanguage.googleapis.com",
        "x-goog-api-key",
        "{key}",
        frozenset({Format.GEMINI}),
        frozenset({Format.GEMINI}),
        "google",
        models="/v1beta/models?pageSize=1000",
    ),
    PROVIDER_TYPE_AZURE_OPENAI: Kind("", "api-key", "{key}", _OPENAI, price_provider="azure"),
    PROVIDER_TYPE_OLLAMA: Kind("http://localhost:11434", "", "", _OLLAMA | _CHAT, _OLLAMA, models="/api/tags"),
    PROVIDER_TYPE_OPENAI_COMPATIBLE: Kind("", "authorization", "Bearer {key}", _OPENAI),
    PROVIDER_TYPE_HTTP: Kind("", "authorization", "Bearer {key}", frozenset(), models=""),
    PROVIDER_TYPE_DEMO: Kind("http://demo.invalid", "", "", JUDGED),
}
