"""Where requests go: by header, model prefix, path, default; and what the provider is asked for."""

import msgspec
import pytest

from ingate.errors import BadRequest
from ingate.formats import JUDGED, at_once, detect, naming_other, path_model, read_call, rewrite_model
from ingate.proxy.plan import asked_of, canonical, join, plan
from tests.support.targets import target

FLEET = [
    target("openai"),
    target("anthropic"),
    target("gemini"),
    target("ollama"),
    target("groq", "openai-compatible", models=["llama-3"]),
    target("demo", models=["demo", "gpt-4o", "claude-x"]),
]
CHAT = "/v1/chat/completions"


def planned(targets, path, model=None, *, named=None, headers=(), **fields):
    """Plans a request to a path with a model in its body, as the engine does."""
    body = msgspec.json.encode({"model": model, **fields} if model is not None else fields)
    format = detect(path)
    named_in_body = read_call(format, path, body).model if format in JUDGED else at_once(naming_other(body, b"", path))
    return plan(targets, format, path, named_in_body, headers=list(headers), named=named)


@pytest.mark.parametrize(
    ("path", "model", "headers", "expected"),
    [
        (CHAT, "gpt-4o", {}, "openai"),
        ("/chat/completions", "gpt-4o", {}, "openai"),
        ("/v1/responses", "gpt-4o", {}, "openai"),
        ("/v1/embeddings", "e", {}, "openai"),
        ("/v1/completions", "e", {}, "openai"),
        ("/v1/messages", "claude", {}, "anthropic"),
        ("/messages", "claude", {}, "anthropic"),
        ("/v1/messages/count_tokens", "claude", {}, "anthropic"),
        ("/v1/messages/batches", None, {}, "anthropic"),
        ("/v1beta/models/gemini-2:generateContent", None, {}, "gemini"),
        ("/v1/models/gemini-2:streamGenerateContent", None, {}, "gemini"),
        ("/v1beta/models/gemini-2:countTokens", None, {}, "gemini"),
        ("/v1/models/gemini-2:countTokens", None, {"x-goog-api-key": "k"}, "gemini"),
        ("/api/chat", "llama", {}, "ollama"),
        ("/api/generate", "llama", {}, "ollama"),
        # A model that a provider lists is that provider's, whoever else speaks the format.
        (CHAT, "llama-3", {}, "groq"),
        (CHAT, "demo", {}, "demo"),
        ("/v1/messages", "demo", {}, "demo"),
        # So is each name that the demo model answers, listed or not, on every path.
        (CHAT, "demo-503", {}, "demo"),
        ("/v1/messages", "demo-529", {}, "demo"),
        ("/v1/responses", "demo:latest", {}, "demo"),
        ("/api/chat", "demo-slow:latest", {}, "demo"),
        ("/v1/embeddings", "demo-embed", {}, "demo"),
        ("/v1/images/generations", "demo", {}, "demo"),
        ("/v1/audio/speech", "demo", {}, "demo"),
        ("/v1/moderations", "demo", {}, "demo"),
        ("/v1/rerank", "demo", {}, "demo"),
        # The demo model stands in for models of others only where nobody has them.
        ("/v1/messages", "claude-x", {}, "anthropic"),
        # A prefix that names a provider; one that names none belongs to the model.
        (CHAT, "groq/mixtral", {}, "groq"),
        (CHAT, "anthropic/claude", {}, "anthropic"),
        (CHAT, "meta-llama/llama-3-70b", {}, "openai"),
        (CHAT, "groq/", {}, "openai"),
        # Lists of models: the vendors share the path.
        ("/v1/models", None, {}, "openai"),
        ("/models", None, {}, "openai"),
        ("/v1/models/gpt-4o", None, {}, "openai"),
        ("/v1/models", None, {"anthropic-version": "2023-06-01"}, "anthropic"),
        ("/v1/models/claude", None, {"anthropic-version": "2023-06-01"}, "anthropic"),
        ("/v1/models", None, {"x-goog-api-key": "k"}, "gemini"),
        ("/v1beta/models", None, {}, "gemini"),
        ("/v1/files", None, {}, "openai"),
        ("/v1/files", None, {"anthropic-version": "2023-06-01"}, "anthropic"),
        ("/images/generations", "gpt-image-1", {}, "openai"),
        ("/v1/responses/resp_1", None, {}, "openai"),
    ],
)
def test_the_path_and_the_model_choose_the_provider(path, model, headers, expected):
    """Without a header that names one, model prefix, listed models and path decide, in this order."""
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]

    assert planned(FLEET, path, model, headers=pairs).target.name == expected


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/demo-503:generateContent",
        "/v1beta/models/demo-slow:streamGenerateContent",
        "/v1beta/models/demo:countTokens",
        "/v1beta/models/demo-embed:batchEmbedContents",
    ],
)
def test_a_path_that_names_the_demo_model(path):
    """Leads to it as a body does."""
    chosen = plan(FLEET, detect(path), path, path_model(detect(path), path), headers=[], named=None)

    assert chosen.target.name == "demo"


def test_a_demo_name_on_a_path_that_vendors_share():
    """The tokens of a prompt for the demo model are the demo's to count."""
    path = "/v1/messages/count_tokens"

    assert plan(FLEET, detect(path), path, "demo", headers=[], named=None).target.name == "demo"


def test_a_demo_name_that_another_provider_lists():
    """Is that provider's; and without a demo model it is a name like any other."""
    groq = target("groq", "openai-compatible", models=["demo-503"])

    assert planned([target("openai"), groq, target("demo")], CHAT, "demo-503").target.name == "groq"
    assert planned([target("openai"), target("groq", "openai-compatible")], CHAT, "demo-503").target.name == "openai"


def test_the_header_wins_over_everything():
    """X-Ingate-Provider beats prefix, listed model, path and default."""
    chosen = planned([*FLEET, target("main", "http", is_default=True)], CHAT, "openai/gpt-4o", named="ollama")

    assert chosen.target.name == "ollama"
    assert chosen.model == "openai/gpt-4o", "a prefix of another provider belongs to the model"


def test_a_header_that_names_nobody_is_refused():
    """A provider that the key cannot reach is a 400 that names the header."""
    with pytest.raises(BadRequest) as refusal:
        planned(FLEET, CHAT, "gpt-4o", named="nobody")

    assert refusal.value.fields["X-Ingate-Provider"].endswith(": openai, anthropic, gemini, ollama, groq, demo")


@pytest.mark.parametrize(
    ("targets", "path", "expected"),
    [
        # Of several providers of the type: the one named after it, the default, the first.
        ([target("a", "openai"), target("openai"), target("z", "openai", is_default=True)], CHAT, "openai"),
        ([target("a", "openai"), target("z", "openai", is_default=True)], CHAT, "z"),
        ([target("a", "openai"), target("z", "openai")], CHAT, "a"),
        # A type of the path's own beats the default, which beats one that merely speaks the format.
        ([target("openai"), target("main", "http", is_default=True)], CHAT, "openai"),
        ([target("groq", "openai-compatible"), target("main", "http", is_default=True)], CHAT, "main"),
        ([target("anthropic", is_default=True), target("openai")], "/v1/models", "openai"),
        ([target("anthropic", is_default=True)], "/v1/models", "anthropic"),
        # Without a default: the only one that speaks the format, the only one at all; the demo model does not count.
        ([target("anthropic"), target("groq", "openai-compatible")], CHAT, "groq"),
        ([target("groq", "openai-compatible"), target("demo")], CHAT, "groq"),
        ([target("azure-openai"), target("demo")], "/v1/models", "azure-openai"),
        ([target("own", "http"), target("demo")], "/anything/you/want", "own"),
        # It stands in for a model that it lists where nobody else would do.
        ([target("anthropic"), target("demo", models=["m"])], CHAT, "demo"),
        ([target("groq", "openai-compatible"), target("demo", models=["m"])], CHAT, "groq"),
        ([target("own", "http", is_default=True), target("demo", models=["m"])], CHAT, "own"),
        ([target("demo")], "/anything/you/want", "demo"),
        ([target("demo")], "/v1/models", "demo"),
    ],
)
def test_several_or_few_providers(targets, path, expected):
    """What decides when several providers would do, and when none is the path's own."""
    assert planned(targets, path, "m").target.name == expected


@pytest.mark.parametrize(
    ("targets", "path", "says"),
    [
        ([], CHAT, "there is no provider yet. Add one with POST /api/v1/providers or `ingate providers add`"),
        ([target("openai"), target("anthropic")], "/anything/you/want", "can reach openai, anthropic."),
        ([target(f"p{n:02}", "http") for n in range(12)], CHAT, "p08, p09 and 2 more. Name one"),
        ([target("a", "openai-compatible"), target("b", "openai-compatible")], CHAT, "`X-Ingate-Provider: a`"),
        ([target("a", "openai-compatible"), target("b", "openai-compatible")], CHAT, "before the model, such as `a/"),
    ],
)
def test_nothing_leads_to_a_provider(targets, path, says):
    """The documented 400 says which providers there are and how to name one, or how to have one."""
    with pytest.raises(BadRequest, match=r"^Missing X-Ingate-Provider: ") as refusal:
        planned(targets, path, "m")
    assert says in refusal.value.message


@pytest.mark.parametrize("named", [None, "groq"])
def test_the_prefix_is_taken_off_the_model(named):
    """The provider gets the model it knows, with every other byte of the body as it was."""
    body = b'{ "messages":[{"role":"user","content":"groq/x"}] , "model" : "groq/openai/gpt-oss" }'
    model = read_call(detect(CHAT), CHAT, body).model

    chosen = plan(FLEET, detect(CHAT), CHAT, model, headers=[], named=named)

    assert chosen.target.name == "groq"
    assert chosen.model == "openai/gpt-oss"
    assert chosen.prefixed
    assert rewrite_model(body, chosen.model) == body.replace(b"groq/openai", b"openai")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1beta/models/gemini/g-2:generateContent", "/v1beta/models/g-2:generateContent"),
        ("/models/gemini/g-2:streamGenerateContent", "/v1beta/models/g-2:streamGenerateContent"),
    ],
)
def test_the_prefix_is_taken_off_a_gemini_path(path, expected):
    """Gemini names the model in the path, so the prefix is there too."""
    chosen = planned(FLEET, path)

    assert (chosen.target.name, chosen.model, chosen.path) == ("gemini", "g-2", expected)


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("openai", "/chat/completions", CHAT),
        ("openai", "/models", "/v1/models"),
        ("openai", "/images/generations", "/v1/images/generations"),
        ("openai", "/v1/models", "/v1/models"),
        ("openai", "/modelsmith", "/modelsmith"),
        ("anthropic", "/messages/count_tokens", "/v1/messages/count_tokens"),
        ("gemini", "/models", "/v1beta/models"),
        ("gemini", "/models/g:countTokens", "/v1beta/models/g:countTokens"),
        ("gemini", "/v1/models/g:generateContent", "/v1/models/g:generateContent"),
        ("ollama", "/api/chat", "/api/chat"),
        ("http", "/models", "/models"),
        ("http", "/chat/completions", "/chat/completions"),
    ],
)
def test_the_version_that_sdks_leave_out(name, path, expected):
    """Providers with a documented version get it; a plain HTTP server gets the path as it came."""
    assert canonical(path, detect(path), target(name)) == expected


@pytest.mark.parametrize(
    ("prefix", "path", "expected"),
    [
        ("", CHAT, CHAT),
        ("/v1", CHAT, CHAT),
        ("/openai/v1", CHAT, "/openai/v1/chat/completions"),
        ("/v1beta/openai", CHAT, "/v1beta/openai/chat/completions"),
        ("/api/paas/v4", CHAT, "/api/paas/v4/chat/completions"),
        ("/v1beta", "/v1/models/g:generateContent", "/v1beta/models/g:generateContent"),
        ("/llm", CHAT, "/llm/v1/chat/completions"),
        ("/v1/proxy", CHAT, "/v1/proxy/v1/chat/completions"),
        ("/v1", "/other", "/v1/other"),
    ],
)
def test_the_path_below_a_base_url(prefix, path, expected):
    """A base URL that ends in a version, as SDKs are given it, has the say over the path's."""
    assert join(prefix, path) == expected


@pytest.mark.parametrize("path", [CHAT, "/chat/completions"])
@pytest.mark.parametrize("type", ["openai", "openai-compatible", "azure-openai"])
@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("", CHAT),
        ("/", CHAT),
        ("/v1", CHAT),
        ("/v1/", CHAT),
        ("/api/v1", "/api/v1/chat/completions"),
        ("/openai/v1", "/openai/v1/chat/completions"),
        ("/api/paas/v4", "/api/paas/v4/chat/completions"),
        ("/v1beta/openai", "/v1beta/openai/chat/completions"),
        ("/v1/openai", "/v1/openai/chat/completions"),
        ("/v1/acc/gw/compat", "/v1/acc/gw/compat/chat/completions"),
        ("/inference", "/inference/chat/completions"),
        ("/serving-endpoints", "/serving-endpoints/chat/completions"),
        (
            "/v1/projects/p/locations/l/endpoints/openapi",
            "/v1/projects/p/locations/l/endpoints/openapi/chat/completions",
        ),
    ],
)
def test_a_base_url_is_taken_as_providers_print_it(type, base, path, expected):
    """It is what stands before `/chat/completions`; only a bare one has `/v1` put behind it."""
    made = target("p", type, base_url=f"https://llm.example.com{base}")

    assert asked_of(made, path, detect(path)) == expected


@pytest.mark.parametrize(
    ("type", "base", "path", "expected"),
    [
        ("openai-compatible", "/inference", "/v1/models", "/inference/models"),
        ("openai-compatible", "/inference", "/v1", "/inference/v1"),
        ("openai-compatible", "/inference", "/v1x/models", "/inference/v1x/models"),
        ("openai-compatible", "/inference", "/rerank", "/inference/rerank"),
        ("openai-compatible", "", "/rerank", "/rerank"),
        # What Anthropic's and Google's SDKs put behind a base URL has the version.
        ("anthropic", "/anthropic", "/v1/messages", "/anthropic/v1/messages"),
        ("anthropic", "/anthropic/v1", "/v1/messages", "/anthropic/v1/messages"),
        ("gemini", "/google", "/v1beta/models/g:generateContent", "/google/v1beta/models/g:generateContent"),
        ("ollama", "/ollama", "/v1/chat/completions", "/ollama/v1/chat/completions"),
        ("http", "/any", "/v1/chat/completions", "/any/v1/chat/completions"),
    ],
)
def test_other_paths_below_a_base_url(type, base, path, expected):
    """A version is left out only for those who speak as OpenAI does, and only where it is one."""
    made = target("p", type, base_url=f"https://llm.example.com{base}")

    assert asked_of(made, path, detect(path)) == expected
