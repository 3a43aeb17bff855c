import pytest

from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_DEMO, PROVIDER_TYPE_OLLAMA, ProviderType
from ingate.config import Settings
from ingate.net.addresses import EXCEPT_NEVER
from ingate.provider_types import KINDS
from ingate.providers.demo.names import MODELS
from ingate.providers.shared import shared, shared_routes
from ingate.proxy import base_urls


def test_without_settings_there_is_none():
    """Nothing is offered that nobody configured."""
    assert shared_routes(Settings()) == []


def test_each_credential_of_the_environment_is_a_route():
    """They are shared, have their key, and no default among them."""
    found = shared_routes(Settings(openai_api_key="a", anthropic_api_key="b", gemini_api_key="c", demo=True))
    assert [(route.name, route.api_key) for route in found] == [
        ("openai", "a"),
        ("anthropic", "b"),
        ("gemini", "c"),
        ("demo", ""),
    ]
    assert all(route.shared and not route.is_default and route.timeout_ms for route in found)
    assert list(found[-1].models) == list(MODELS)


def test_the_demo_model_lists_the_names_it_is_given():
    """Names that the setting states are listed beside its own."""
    [route] = shared_routes(Settings(demo=True, demo_models="gpt-4o, demo,claude-x"))
    assert list(route.models) == [*MODELS, "gpt-4o", "claude-x"]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("10.0.0.5:11434", "http://10.0.0.5:11434"),
        ("http://10.0.0.5:11434", "http://10.0.0.5:11434"),
        ("ollama.internal", "http://ollama.internal:11434"),
        ("ollama.internal/api", "http://ollama.internal:11434/api"),
        ("https://ollama.example.com", "https://ollama.example.com"),
        ("http://ollama.internal", "http://ollama.internal"),
        ("[fd00::7]", "http://[fd00::7]:11434"),
        # What the server is told to listen on, which is no address to call.
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("http://0.0.0.0:11434", "http://127.0.0.1:11434"),
        ("[::]", "http://[::1]:11434"),
    ],
)
def test_ollamas_host_is_read_as_ollama_reads_it(host, url):
    """Scheme and port may be left out, and the address to listen on stands for this machine."""
    [route] = shared_routes(Settings(ollama_host=host))
    assert (route.base_url, route.type) == (url, PROVIDER_TYPE_OLLAMA)
    assert base_urls.parse(route.base_url, EXCEPT_NEVER)


def test_every_type_has_its_defaults():
    """Addresses of the catalogue are addresses, a key goes where the format says, and no type is forgotten."""
    assert KINDS.keys() == set(ProviderType.values()) - {0}
    for number, kind in KINDS.items():
        assert not kind.auth_header or "{key}" in kind.auth_format
        assert kind.natural <= kind.speaks
        if kind.base_url and number != PROVIDER_TYPE_DEMO:
            origin, _ = base_urls.parse(kind.base_url, EXCEPT_NEVER)
            assert origin.host


def test_no_two_types_are_meant_by_one_path():
    """A request that names no provider has one natural type."""
    natural = [wire for number, kind in KINDS.items() if number != PROVIDER_TYPE_DEMO for wire in kind.natural]
    assert len(natural) == len(set(natural))


@pytest.mark.parametrize(
    ("setting", "embedded", "reach"),
    [
        ("first", True, {"founder"}),
        ("first", False, set()),
        ("all", False, {"founder", "acme", "beta", "first", "all"}),
        ("acme", True, {"founder", "acme"}),
        ("acme , beta", False, {"acme", "beta"}),
        ("first,all", False, set()),
    ],
)
def test_who_reaches_them(setting, embedded, reach):
    """The first of an embedded installation and those listed; the setting's own words are no slugs in it."""
    found = shared(Settings(openai_api_key="a", demo=True, shared_providers=setting), embedded=embedded)
    slugs = ("founder", "acme", "beta", "first", "all")
    routes = {slug: found.reached_by(slug, founding=slug == "founder") for slug in slugs}
    assert {slug for slug in slugs if "openai" in {route.name for route in routes[slug]}} == reach
    assert all(routes[slug][-1].name == "demo" for slug in slugs)
