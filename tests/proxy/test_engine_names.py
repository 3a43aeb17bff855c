"""A model written `<name>/<model>` goes to that provider wherever a request names one, and every other byte stays."""

import pytest
import pytest_asyncio

from tests.support.gateway import gateway
from tests.support.upstream import JSON, ScriptedUpstream, respond

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORM = {"content-type": 'multipart/form-data; boundary="x y"'}
GOOGLE = {"x-goog-api-key": "unused"}
CLAUDE = {"anthropic-version": "2023-06-01"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def up():
    async with ScriptedUpstream() as up:
        yield up


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def org(up):
    """An organisation with a provider of each vendor, and `other`, which no path leads to."""
    async with gateway(grpc=False) as gw:
        org = await gw.signup()
        for type in ("anthropic", "gemini", "ollama", "openai"):
            await org.provider(type, type, up.url)
        await org.provider("other", "http", f"{up.url}/o")
        yield org


def form(model, *, file=b"RIFF" + bytes(300)):
    """Returns a form that names its model behind a file."""
    lines = [
        b"--x y",
        b'Content-Disposition: form-data; name="file"; filename="model"',
        b"",
        file,
        b"--x y",
        b"content-disposition: form-data; charset=utf-8; name=model",
        b"",
        model,
        b"--x y--",
        b"",
    ]
    return b"\r\n".join(lines)


JSON_PATHS = [
    ("/v1/chat/completions", "openai"),
    ("/v1/completions", "openai"),
    ("/v1/embeddings", "openai"),
    ("/v1/responses", "openai"),
    ("/v1/responses/compact", "openai"),
    ("/v1/responses/input_tokens", "openai"),
    ("/v1/images/generations", "openai"),
    ("/v1/audio/speech", "openai"),
    ("/v1/moderations", "openai"),
    ("/v1/fine_tuning/jobs", "openai"),
    ("/v1/assistants", "openai"),
    ("/v1/threads/t/runs", "openai"),
    ("/v1/messages", "anthropic"),
    ("/v1/messages/count_tokens", "anthropic"),
    ("/api/chat", "ollama"),
    ("/api/generate", "ollama"),
    ("/api/embed", "ollama"),
    ("/api/embeddings", "ollama"),
    ("/api/show", "ollama"),
    ("/api/pull", "ollama"),
    # Paths that no provider of these has by itself.
    ("/v1/rerank", None),
    ("/v2/rerank", None),
    ("/any/thing", None),
]


async def sent(org, up, method, path, **options):
    """Sends a request that the provider answers with `{}`; returns the provider's name and the request it got."""
    up.enqueue(respond(200, JSON, b"{}"))
    answer = await org.http.request(method, path, **options)
    assert answer.status_code == 200, answer.text
    got = up.requests[-1]
    assert int(got.header("content-length") or 0) == len(got.body)
    return answer.headers["x-ingate-served-by"], got


async def logged(org):
    """Returns provider and model of the newest log entry."""
    entry = await org.last()
    return entry["provider"], entry["model"]


@pytest.mark.parametrize(("path", "natural"), JSON_PATHS, ids=[path for path, _ in JSON_PATHS])
async def test_in_json_of_any_path(org, up, path, natural):
    """Named, it goes to that provider, which gets the model alone; otherwise to the path's, as it is."""
    body = b'{ "x": "other/m" , "model" :\t"other/a/m" , "y":[{"model":"other/m"}], "n": 1.0 }'
    name, got = await sent(org, up, "POST", path, content=body)
    assert (name, got.target.decode()) == ("other", f"/o{path}")
    assert got.body == body.replace(b'"other/a/m"', b'"a/m"')
    assert await logged(org) == ("other", "a/m")
    if natural is not None:
        # The id may be the provider's own, as OpenRouter's are.
        body = body.replace(b"other/a", b"nobody/a")
        name, got = await sent(org, up, "POST", path, content=body)
        assert (name, got.body) == (natural, body)
        assert await logged(org) == (natural, "nobody/a/m")


FORM_PATHS = [
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/images/edits",
    "/v1/images/variations",
    "/v1/videos",
]


@pytest.mark.parametrize("path", FORM_PATHS)
async def test_in_a_form(org, up, path):
    """The field is rewritten where it is."""
    name, got = await sent(org, up, "POST", path, content=form(b"other/whisper"), headers=FORM)
    assert (name, got.target.decode(), got.body) == ("other", f"/o{path}", form(b"whisper"))
    assert got.header("content-type") == FORM["content-type"].encode()
    assert await logged(org) == ("other", "whisper")
    name, got = await sent(org, up, "POST", path, content=form(b"whisper"), headers=FORM)
    assert (name, got.body) == ("openai", form(b"whisper"))
    assert await logged(org) == ("openai", "whisper")


NESTED = [
    ("/v1/messages/batches", b'{"requests":[{"custom_id":"other/m","params":{"model":"%bc","max_tokens":1}}]}', {}),
    ("/v1/realtime/client_secrets", b'{"session":{"type":"realtime","model":"%bc"}}', {}),
    ("/v1/cachedContents", b'{"model":"models/%bc","contents":[{"parts":[{"text":"models/other/c"}]}]}', GOOGLE),
]


@pytest.mark.parametrize(("path", "body", "headers"), NESTED, ids=[path for path, *_ in NESTED])
async def test_deeper_in_json(org, up, path, body, headers):
    """Where a vendor's documents put a model that is not at the top."""
    headers = {"x-ingate-key": org.key, **headers}
    name, got = await sent(org, up, "POST", path, content=body % b"other/", headers=headers)
    assert (name, got.body) == ("other", body % b"")
    assert await logged(org) == ("other", "c")


MANAGED = [
    ("POST", "/api/show", b'{"name":"%bm"}'),
    ("POST", "/api/copy", b'{"source":"%bm","destination":"b"}'),
    ("DELETE", "/api/delete", b'{"name":"%bm"}'),
    ("DELETE", "/api/delete", b'{"model":"%bm"}'),
    ("POST", "/api/pull", b'{"name":"%bm","stream":false}'),
    ("POST", "/api/push", b'{"model":"%bme/m"}'),
    ("POST", "/api/create", b'{"model":"b","from":"%bm"}'),
]


@pytest.mark.parametrize(("method", "path", "body"), MANAGED, ids=[f"{path} {body[:9]}" for _, path, body in MANAGED])
async def test_where_ollama_names_models(org, up, method, path, body):
    """In the words of its endpoints that manage models, deleting included."""
    name, got = await sent(org, up, method, path, content=body % b"other/")
    assert (name, got.body) == ("other", body % b"")
    name, got = await sent(org, up, method, path, content=body % b"")
    assert (name, got.body) == ("ollama", body % b"")


VERBS = [
    ("generateContent", b'{"contents":[{"parts":[{"text":"models/other/g"}]}]}'),
    ("streamGenerateContent", b'{"contents":[]}'),
    ("countTokens", b'{"generateContentRequest":{"model":"models/%bg","contents":[]}}'),
    ("embedContent", b'{"model":"models/%bg","content":{}}'),
    ("batchEmbedContents", b'{"requests":[{"model":"models/%bg","content":{"parts":[]}},{"model":"models/%bg"}]}'),
    ("batchGenerateContent", b'{"batch":{"model":"models/%bg"}}'),
    ("predict", b'{"instances":[{"model":"other/g"}]}'),
    ("predictLongRunning", b"{}"),
]


@pytest.mark.parametrize("root", ["/v1beta/models", "/v1/models", "/v1beta/tunedModels"])
@pytest.mark.parametrize(("verb", "body"), VERBS, ids=[verb for verb, _ in VERBS])
async def test_in_a_path_of_googles(org, up, root, verb, body):
    """Before any verb, and in a body that says it again."""
    headers = {"x-ingate-key": org.key, **GOOGLE}
    given, bare = body.replace(b"%b", b"other/"), body.replace(b"%b", b"")
    name, got = await sent(org, up, "POST", f"{root}/other/g:{verb}?alt=sse", content=given, headers=headers)
    assert (name, got.target.decode(), got.body) == ("other", f"/o{root}/g:{verb}?alt=sse", bare)
    assert await logged(org) == ("other", "g")
    name, got = await sent(org, up, "POST", f"{root}/g:{verb}", content=bare, headers=headers)
    assert (name, got.target.decode(), got.body) == ("gemini", f"{root}/g:{verb}", bare)
    assert await logged(org) == ("gemini", "g")


PATHS = [
    ("DELETE", "/v1/models/{}ft:gpt-4o:acme::x7", {}, "openai"),
    ("HEAD", "/v1/models/{}gpt-4o", {}, "openai"),
    ("DELETE", "/v1beta/tunedModels/{}mine", GOOGLE, "gemini"),
    ("GET", "/v1beta/tunedModels/{}mine/operations/7", GOOGLE, "gemini"),
    ("PATCH", "/v1beta/tunedModels/{}mine", GOOGLE, "gemini"),
    ("POST", "/v1beta/models/{}g:generateText", {}, "gemini"),
]


@pytest.mark.parametrize("slash", ["/", "%2F"])
@pytest.mark.parametrize("case", PATHS, ids=lambda case: f"{case[0]} {case[1]}")
async def test_in_a_path_that_ends_in_a_model(org, up, case, slash):
    """With any method, and with the slash as SDKs encode it."""
    method, path, headers, natural = case
    headers = {"x-ingate-key": org.key, **headers}
    body = {"content": b"{}"} if method in {"POST", "PATCH"} else {}
    if method == "HEAD":
        up.enqueue(respond(200, JSON, b"", framing="none"))
        answer = await org.http.head(path.format(f"other{slash}"), headers=headers)
        name, got = answer.headers["x-ingate-served-by"], up.requests[-1]
    else:
        name, got = await sent(org, up, method, path.format(f"other{slash}"), headers=headers, **body)
    assert (name, got.target.decode()) == ("other", "/o" + path.format(""))
    if method != "HEAD":
        name, got = await sent(org, up, method, path.format(""), headers=headers, **body)
        assert (name, got.target.decode()) == (natural, path.format(""))


async def test_at_vertex(org, up):
    """Where a path has a verb in place of the model, the body has the model."""
    root = "/v1/projects/p/locations/l/publishers/anthropic/models"
    name, got = await sent(org, up, "POST", f"{root}/other/c@1:rawPredict", content=b'{"messages":[]}')
    assert (name, got.target.decode()) == ("other", f"/o{root}/c@1:rawPredict")
    name, got = await sent(org, up, "POST", f"{root}/count-tokens:rawPredict", content=b'{"model":"other/c@1"}')
    assert (name, got.target.decode()) == ("other", f"/o{root}/count-tokens:rawPredict")
    assert got.body == b'{"model":"c@1"}'


async def test_azures_sdk_says_it_twice(org, up):
    """In the deployment of the path, its slash encoded, and in the body."""
    path = "/openai/deployments/{}gpt/chat/completions?api-version=1"
    body = b'{"model":"%bgpt","messages":[]}'
    name, got = await sent(org, up, "POST", path.format("other%2F"), content=body % b"other/")
    assert (name, got.target.decode(), got.body) == ("other", "/o" + path.format(""), body % b"")


async def test_at_bedrock(org, up):
    """Before the model of the path, plain or encoded."""
    for prefix in ("other/", "other%2F"):
        path = f"/model/{prefix}us.amazon.nova-lite-v1%3A0/converse"
        name, got = await sent(org, up, "POST", path, content=b'{"messages":[]}')
        assert (name, got.target) == ("other", b"/o/model/us.amazon.nova-lite-v1%3A0/converse")
        assert await logged(org) == ("other", "us.amazon.nova-lite-v1:0")


async def test_a_compressed_body_is_not_read(org, up):
    """It goes by its path, in which the name counts."""
    headers = {"x-ingate-key": org.key, "content-encoding": "gzip", **GOOGLE}
    name, got = await sent(org, up, "POST", "/v1/models/other/g:generateContent", content=b"\x1f\x8b", headers=headers)
    assert (name, got.target, got.body) == ("other", b"/o/v1/models/g:generateContent", b"\x1f\x8b")


async def test_a_provider_that_the_header_names(org, up):
    """Its own name is taken out, another's belongs to the model."""
    headers = {"x-ingate-key": org.key, "x-ingate-provider": "other"}
    for body, expected in (
        (b'{"model":"other/m"}', b'{"model":"m"}'),
        (b'{"model":"openai/m"}', b'{"model":"openai/m"}'),
    ):
        name, got = await sent(org, up, "POST", "/v1/moderations", content=body, headers=headers)
        assert (name, got.body) == ("other", expected)


async def test_headers_that_name_two_providers_are_refused(org, up):
    """Whoever stands before the gateway may read the other one. One provider may be named twice."""
    before = up.seen
    for names, status_code in ((("openai", "other"), 400), (("other", "openai"), 400), (("other", "other"), 200)):
        headers = [("x-ingate-provider", name) for name in names]
        answer = await org.http.post("/v1/chat/completions", json={"model": "m", "messages": []}, headers=headers)
        assert answer.status_code == status_code
        if status_code == 400:
            assert (answer.json()["details"][0]["field"], up.seen) == ("X-Ingate-Provider", before)


async def test_a_form_of_too_many_parts(org, up):
    """Is refused in the words of the path's API, and nothing of it is forwarded."""
    before = up.seen
    body = b"--x y\r\n\r\n\r\n" * 400_000 + b"--x y--\r\n"
    answer = await org.http.post(FORM_PATHS[0], content=body, headers=FORM)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "more than 1000 parts" in answer.json()["error"]["message"]
    assert up.seen == before


async def test_of_a_repeated_field_the_last_counts(org, up):
    """As of a repeated member: it routes, it is recorded, and each gets it."""
    twice = form(b"%b", file=b'a\r\n--x y\r\nContent-Disposition: form-data; name="model"\r\n\r\n%b')
    name, got = await sent(org, up, "POST", FORM_PATHS[0], content=twice % (b"openai/a", b"other/b"), headers=FORM)
    assert (name, got.body) == ("other", twice % (b"b", b"b"))
    assert await logged(org) == ("other", "b")


@pytest.mark.parametrize(
    "body", [b"\xff\x00", b"[]", b'{"model":"other/m"', b"--x y\r\n", form(b"\xff/m"), form(b"other/" + b"m" * 2000)]
)
@pytest.mark.parametrize("headers", [{}, FORM], ids=["any", "form"])
async def test_what_names_no_model_goes_on_as_it_is(org, up, body, headers):
    """Nothing of a body that is not read is refused."""
    for path in ("/v1/images/edits", "/v1/uploads"):
        name, got = await sent(org, up, "POST", path, content=body, headers=headers)
        assert (name, got.body) == ("openai", body)


@pytest.mark.parametrize("kind", ["file", "batch", "json"])
async def test_a_large_body_arrives_as_it_was(org, up, kind):
    """But for the names in it, of tens of megabytes too."""
    if kind == "file":
        path, headers = FORM_PATHS[0], FORM
        given, expected = (form(name, file=b"\r\n--x z" * 4_000_000) for name in (b"other/w", b"w"))
    elif kind == "batch":
        path, headers = "/v1/messages/batches", {}
        item = b'{"custom_id":"1","params":{"model":"%b","messages":[{"role":"user","content":"other/c"}]}}'
        given, expected = (b'{"requests":[%b]}' % b",".join([item % name] * 10_000) for name in (b"other/c", b"c"))
    else:
        path, headers = "/v1/images/edits", {}
        given, expected = (b'{"image":"%b","model":"%b"}' % (b"A" * 20_000_000, name) for name in (b"other/i", b"i"))
    name, got = await sent(org, up, "POST", path, content=given, headers=headers)
    assert name == "other"
    assert got.body == expected
