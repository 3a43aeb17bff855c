"""What providers add to a process."""

from ingate.feature import Feature, Parts
from ingate.providers.route_servicer import RouteServicer
from ingate.providers.sealed import require_readable
from ingate.providers.servicer import ProviderServicer
from ingate.providers.shared import shared
from ingate.providers.tables import Provider


def _providers(parts: Parts) -> ProviderServicer:
    return ProviderServicer(
        parts.database, parts.vault, parts.changes, parts.transports, policy=parts.policy, demo=parts.settings.demo
    )


def _routes(parts: Parts) -> RouteServicer:
    return RouteServicer(parts.database, parts.vault, shared(parts.settings, embedded=parts.database.embedded))


FEATURE = Feature(
    servicers={"ingate.providers.v1.ProviderService": _providers, "ingate.providers.v1.RouteService": _routes},
    tables=(Provider,),
    settings=frozenset(
        {
            "anthropic_api_key",
            "demo",
            "demo_models",
            "gemini_api_key",
            "ollama_host",
            "openai_api_key",
            "shared_providers",
        }
    ),
    check_master_key=require_readable,
)
