"""Routes that every organisation has: from the environment, and the demo model. Pure."""

from gen.ingate.providers.v1.provider_pb2 import (
    AUTH_MODE_API_KEY,
    PROVIDER_TYPE_ANTHROPIC,
    PROVIDER_TYPE_DEMO,
    PROVIDER_TYPE_GEMINI,
    PROVIDER_TYPE_OLLAMA,
    PROVIDER_TYPE_OPENAI,
)
from gen.ingate.providers.v1.route_pb2 import Route
from ingate.config import Settings
from ingate.providers.catalogue import KINDS

DEMO_MODELS = ("demo", "demo-embed")
TIMEOUT_MS = 300_000


def shared_routes(settings: Settings) -> list[Route]:
    """Returns the installation's own routes. An organisation's provider of the same name wins over each."""
    routes = []
    for name, provider_type, api_key in (
        ("openai", PROVIDER_TYPE_OPENAI, settings.openai_api_key),
        ("anthropic", PROVIDER_TYPE_ANTHROPIC, settings.anthropic_api_key),
        ("gemini", PROVIDER_TYPE_GEMINI, settings.gemini_api_key),
    ):
        if api_key:
            routes.append(_route(name, provider_type, api_key=api_key))
    if settings.ollama_host:
        host = settings.ollama_host
        routes.append(_route("ollama", PROVIDER_TYPE_OLLAMA, base_url=host if "://" in host else f"http://{host}"))
    if settings.demo:
        routes.append(_route("demo", PROVIDER_TYPE_DEMO, models=DEMO_MODELS))
    return routes


def _route(
    name: str, provider_type: int, *, api_key: str = "", base_url: str = "", models: tuple[str, ...] = ()
) -> Route:
    kind = KINDS[provider_type]
    return Route(
        name=name,
        type=provider_type,
        base_url=base_url or kind.base_url,
        auth_mode=AUTH_MODE_API_KEY,
        api_key=api_key,
        auth_header=kind.auth_header,
        auth_format=kind.auth_format,
        timeout_ms=TIMEOUT_MS,
        models=models,
        shared=True,
    )
