"""What the gateway refuses on a vendor's path is told in the vendor's words, to the vendor's own clients."""

from types import SimpleNamespace

import anthropic
import httpx
import openai
import pytest
from google import genai
from google.genai import errors

from ingate.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    NotOffered,
    ProviderFailed,
    ProviderTimedOut,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from rest_facade.http1.body import Late

ASK = [{"role": "user", "content": "hi"}]
KEY = "sk-ingate-any"
RAISED = {
    400: BadRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    408: Late,
    409: Conflict,
    413: TooLarge,
    429: RateLimited,
    500: RuntimeError,
    501: NotOffered,
    502: ProviderFailed,
    503: Unavailable,
    504: ProviderTimedOut,
}
OPENAI = {  # the client's exception, type, code
    400: ("BadRequestError", "invalid_request_error", "bad_request"),
    401: ("AuthenticationError", "invalid_request_error", "invalid_api_key"),
    403: ("PermissionDeniedError", "invalid_request_error", "forbidden"),
    404: ("NotFoundError", "invalid_request_error", "model_not_found"),
    405: ("APIStatusError", "invalid_request_error", "method_not_allowed"),
    408: ("APIStatusError", "invalid_request_error", "bad_request"),
    409: ("ConflictError", "invalid_request_error", "conflict"),
    413: ("APIStatusError", "invalid_request_error", "payload_too_large"),
    429: ("RateLimitError", "rate_limit_error", "rate_limit_exceeded"),
    500: ("InternalServerError", "server_error", "internal"),
    501: ("InternalServerError", "server_error", "not_implemented"),
    502: ("InternalServerError", "server_error", "provider_error"),
    503: ("InternalServerError", "service_unavailable_error", "unavailable"),
    504: ("InternalServerError", "server_error", "provider_timeout"),
}
ANTHROPIC = {  # the client's exception, type
    400: ("BadRequestError", "invalid_request_error"),
    401: ("AuthenticationError", "authentication_error"),
    403: ("PermissionDeniedError", "permission_error"),
    404: ("NotFoundError", "not_found_error"),
    405: ("APIStatusError", "invalid_request_error"),
    408: ("APIStatusError", "invalid_request_error"),
    409: ("ConflictError", "conflict_error"),
    413: ("APIStatusError", "request_too_large"),
    429: ("RateLimitError", "rate_limit_error"),
    500: ("InternalServerError", "api_error"),
    501: ("InternalServerError", "api_error"),
    502: ("InternalServerError", "api_error"),
    503: ("APIStatusError", "overloaded_error"),
    504: ("APIStatusError", "timeout_error"),
}
GOOGLE = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "INVALID_ARGUMENT",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
SAID = "said by the gateway"


@pytest.fixture
async def refusing(serve):
    """A facade whose proxy raises what `raises` says, and its URL."""
    told = SimpleNamespace(raises=BadRequest)

    async def proxy(_request_id, _head, _body, _sink):
        raise told.raises(SAID)

    facade = await serve(proxy=proxy)
    told.url = f"http://127.0.0.1:{facade.port}"
    return told


def assert_ours(body, status):
    """Asserts what is beside the vendor's members in every answer."""
    assert len(body["request_id"]) == 36
    assert body["message"] == ("internal error" if status == 500 else SAID)
    assert body["code"] == body["error_code"]
    assert body["code"] == {401: "unauthorized", 404: "not_found", 429: "rate_limited"}.get(status, OPENAI[status][2])


@pytest.mark.parametrize("path", ["/v1", ""])
@pytest.mark.parametrize("status", RAISED)
async def test_openai_clients(refusing, path, status):
    """The exception, message, type, code, param and request id of every status; the same on paths without a version."""
    refusing.raises = RAISED[status]
    exception, kind, code = OPENAI[status]
    async with openai.AsyncOpenAI(base_url=refusing.url + path, api_key=KEY, max_retries=0) as client:
        calls = (
            client.chat.completions.create(model="m", messages=ASK),
            client.responses.create(model="m", input="hi"),
            client.embeddings.create(model="m", input="hi"),
            client.images.generate(model="m", prompt="p"),
            client.models.list(),
            client.chat.completions.create(model="m", messages=ASK, stream=True),
        )
        for call in calls:
            with pytest.raises(getattr(openai, exception)) as error:
                await call
            told = error.value
            assert (told.status_code, told.type, told.code, told.param) == (status, kind, code, None)
            whole = told.response.json()
            assert whole["error"]["message"] == whole["message"]
            assert told.request_id == whole["request_id"]
            assert_ours(whole, status)


@pytest.mark.parametrize("status", RAISED)
async def test_anthropic_clients(refusing, status):
    """The exception and type of every status, with the request id where the client reads it."""
    refusing.raises = RAISED[status]
    exception, kind = ANTHROPIC[status]
    async with anthropic.AsyncAnthropic(base_url=refusing.url, api_key=KEY, max_retries=0) as client:
        for call in (
            client.messages.create(model="m", max_tokens=9, messages=ASK),
            client.messages.count_tokens(model="m", messages=ASK),
            client.models.list(),
        ):
            with pytest.raises(getattr(anthropic, exception)) as error:
                await call
            told = error.value
            assert (told.status_code, told.body["type"], told.body["error"]["type"]) == (status, "error", kind)
            assert told.body["error"]["message"] == told.body["message"]
            assert told.request_id == told.body["request_id"]
            assert_ours(told.body, status)


# The SDK subclasses aiohttp's session, which aiohttp advises against.
@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
@pytest.mark.parametrize("status", RAISED)
async def test_google_clients(refusing, status):
    """The exception, code and status word of every status; the reason and the id of the request as details."""
    refusing.raises = RAISED[status]
    options = {"base_url": refusing.url}
    async with genai.Client(api_key=KEY, http_options=options).aio as client:
        for call in (
            client.models.generate_content(model="m", contents="hi"),
            client.models.count_tokens(model="m", contents="hi"),
            client.models.list(),
        ):
            with pytest.raises(errors.APIError) as error:
                await call
            told = error.value
            assert isinstance(told, errors.ClientError if status < 500 else errors.ServerError)
            assert (told.code, told.status) == (status, GOOGLE[status])
            inner = told.details["error"]
            assert (inner["code"], inner["message"]) == (status, told.message)
            assert inner["details"][0]["reason"] == told.details["code"].upper()
            assert inner["details"][-1]["requestId"] == told.details["request_id"]
            assert_ours(told.details, status)


@pytest.mark.parametrize("path", ["/api/chat", "/api/tags", "/api/show"])
async def test_ollama_reads_a_sentence(refusing, path):
    """`error` is text there, as it is on paths of nobody's API."""
    async with httpx.AsyncClient(base_url=refusing.url, verify=False) as client:
        for at in (path, "/anything/else"):
            body = (await client.post(at, json={})).json()
            assert (body["error"], body["code"]) == (SAID, "bad_request")


async def test_a_field_and_a_wait_are_told_where_clients_look(refusing):
    """OpenAI's `param`, Google's field violation and retry delay."""
    refusing.raises = lambda _: BadRequest.field("model", "names nothing")
    async with httpx.AsyncClient(base_url=refusing.url, verify=False) as client:
        assert (await client.post("/v1/chat/completions")).json()["error"]["param"] == "model"
        google = (await client.post("/v1beta/models/m:generateContent")).json()["error"]
        assert google["details"][1]["fieldViolations"] == [{"field": "model", "description": "model names nothing"}]
        refusing.raises = lambda _: RateLimited(SAID, retry_after=2.3)
        answer = await client.post("/v1beta/models/m:generateContent")
        assert answer.json()["error"]["details"][1]["retryDelay"] == "3s"
        assert answer.headers["retry-after"] == "3"


async def test_vendors_are_told_apart_on_shared_paths(refusing):
    """`/v1/models` is OpenAI's, Anthropic's or Google's by the header that only its callers send."""
    async with httpx.AsyncClient(base_url=refusing.url, verify=False) as client:

        async def told(**headers):
            return (await client.get("/v1/models", headers=headers)).json()

        assert (await told())["error"]["type"] == "invalid_request_error"
        assert (await told(**{"anthropic-version": "2023-06-01"}))["type"] == "error"
        assert (await told(**{"x-goog-api-key": "k"}))["error"]["status"] == "INVALID_ARGUMENT"
