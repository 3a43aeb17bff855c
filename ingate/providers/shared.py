"""Routes of the installation itself: from the environment, and the demo model; and who reaches them. Pure."""

import re
from dataclasses import dataclass

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
from ingate.provider_types import KINDS
from ingate.providers.demo import Roster

TIMEOUT_MS = 300_000
OLLAMA_PORT = ":11434"
_ADDRESS = re.compile(r"(\[[^]]*\]|[^:/]+)(:\d+)?(.*)")
_LOOPBACKS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 -- not a binding


@dataclass(frozen=True, slots=True)
class Shared:
    """The installation's own routes, and who reaches them beside its first organisation: all, or those of the slugs."""

    routes: tuple[Route, ...] = ()
    everyone: bool = False
    slugs: frozenset[str] = frozenset()
    embedded: bool = True

    def reached_by(self, slug: str, *, founding: bool) -> list[Route]:
        """Returns the routes that an organisation reaches. The demo model spends nobody's money, so all reach it."""
        if self.everyone or slug in self.slugs or (founding and self.embedded):
            return list(self.routes)
        return [route for route in self.routes if route.type == PROVIDER_TYPE_DEMO]


def shared(settings: Settings, *, embedded: bool) -> Shared:
    """Returns the installation's routes and who reaches them, by the settings.

    On a database that is not `embedded` the first organisation is listed like any other.
    """
    words = {word.strip() for word in settings.shared_providers.lower().split(",")}
    # The words that the setting has for others are no slugs in it, whoever may have taken them as such.
    return Shared(tuple(shared_routes(settings)), words == {"all"}, frozenset(words - {"all", "first"}), embedded)


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
        routes.append(_route("ollama", PROVIDER_TYPE_OLLAMA, base_url=ollama_url(settings.ollama_host)))
    if settings.demo:
        routes.append(_route("demo", PROVIDER_TYPE_DEMO, models=Roster.of(settings.demo_models).names))
    return routes


def ollama_url(host: str) -> str:
    """Returns the base URL of `OLLAMA_HOST`, read as Ollama's own programs read it.

    Without a scheme the port is 11434 if none is stated. The variable also tells the server where to listen: an address
    that stands for all of a machine (`0.0.0.0`, `::`) is called at its loopback address.
    """
    scheme, mark, rest = host.rpartition("://")
    found = _ADDRESS.fullmatch(rest)
    if found is None:
        return host  # the check of the setting refuses it
    name, port, path = found.groups()
    return f"{scheme or 'http'}://{_LOOPBACKS.get(name, name)}{port or ('' if mark else OLLAMA_PORT)}{path}"


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
