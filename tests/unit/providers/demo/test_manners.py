"""Models that behave oddly on purpose: slow, silent, broken, refusing; and names of others that are answered for."""

import msgspec
import pytest

from ingate.providers.demo import DemoTransport, Roster, names
from ingate.proxy.ports import FirstByteTimeout, Origin, OutboundRequest, Timeouts, Truncated
from tests.support.demo import ask, ask_json, events
from tests.support.exchanges import account

HELLO = [{"role": "user", "content": "Say hello"}]
FORMS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "ollama": "/api/chat",
    "gemini": "/v1beta/models/{}:generateContent",
}


def asked(form, model, **fields):
    """Returns path and body of a chat in a vendor's form."""
    if form == "gemini":
        return FORMS[form].format(model), {"contents": [{"parts": [{"text": "Say hello"}]}]} | fields
    return FORMS[form], {"model": model, "messages": HELLO, "max_tokens": 99, "stream": False} | fields


def request(model, *, stream=True, timeouts=None):
    body = msgspec.json.encode({"model": model, "messages": HELLO, "stream": stream})
    to = account(Origin("http", "demo.invalid", 80))
    return OutboundRequest("POST", to, "/v1/chat/completions", [], body, timeouts or Timeouts())


async def pieces_of(answer):
    found = []
    await collect(answer, found)
    return found


async def collect(answer, found):
    while piece := await answer.read():
        found.append(piece)


WORDS = {
    ("openai", 429): lambda error: (error["type"], error["code"]) == ("requests", "rate_limit_exceeded"),
    ("openai", 500): lambda error: (error["type"], error["code"]) == ("server_error", "server_error"),
    ("openai", 401): lambda error: error["code"] == "invalid_api_key",
    ("anthropic", 429): lambda error: error["type"] == "rate_limit_error",
    ("anthropic", 500): lambda error: error["type"] == "api_error",
    ("anthropic", 529): lambda error: error["type"] == "overloaded_error",
    ("gemini", 429): lambda error: (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED"),
    ("gemini", 500): lambda error: (error["code"], error["status"]) == (500, "INTERNAL"),
    ("gemini", 503): lambda error: error["status"] == "UNAVAILABLE",
    ("ollama", 429): lambda error: "429" in error,
    ("ollama", 500): lambda error: "500" in error,
}


@pytest.mark.parametrize(("form", "status"), WORDS)
async def test_a_number_is_the_status_that_is_answered(form, status):
    """demo-NNN answers status NNN in the vendor's words, and says when to try again where that helps."""
    path, body = asked(form, f"demo-{status}")
    got, headers, pieces = await ask(path, body)
    assert got == status
    assert WORDS[form, status](msgspec.json.decode(b"".join(pieces))["error"])
    assert (b"retry-after" in headers) is (status in {429, 503, 529})


@pytest.mark.parametrize("model", ["demo-399", "demo-600", "demo-4290", "demo-4²9", "demo-", "demo-x"])
async def test_other_endings_are_no_status(model):
    """What is no status of an error is an ordinary model."""
    assert (await ask(*asked("openai", model)))[0] == 200


async def test_a_failing_model_can_be_described():
    """Listing and describing a model calls none."""
    status, found = await ask_json("/v1/models/demo-429", method="GET")
    assert (status, found["id"]) == (200, "demo-429")


async def test_slow_takes_its_time():
    """The first piece waits longer than the others; a tag changes nothing."""
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    for model in ("demo-slow", "demo-slow:latest"):
        waits.clear()
        answer = await DemoTransport(sleep=sleep).send(request(model))
        pieces = await pieces_of(answer)
        assert waits[0] == names.FIRST_SECONDS
        assert set(waits[1:]) == {names.PIECE_SECONDS}
        assert len(waits) == len(pieces) + 1
    waits.clear()
    await pieces_of(await DemoTransport(sleep=sleep).send(request("demo")))
    assert waits == []


@pytest.mark.parametrize(("patience", "waited"), [(300.0, 5.0), (2.0, 2.0)])
async def test_timeout_never_answers(patience, waited):
    """The provider's timeout is waited for, five seconds at most."""
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    with pytest.raises(FirstByteTimeout):
        await DemoTransport(sleep=sleep).send(request("demo-timeout", timeouts=Timeouts(first_byte=patience)))
    assert waits == [waited]


@pytest.mark.parametrize("stream", [True, False])
async def test_cut_breaks_off_in_the_middle(stream):
    """Half of the answer comes, and then the connection is lost."""
    whole = b"".join(await pieces_of(await DemoTransport(clock=lambda: 0).send(request("demo-cux", stream=stream))))
    answer = await DemoTransport(clock=lambda: 0).send(request("demo-cut", stream=stream))
    got = []
    with pytest.raises(Truncated):
        await collect(answer, got)
    assert 0 < len(b"".join(got)) < len(whole)
    await answer.aclose()
    assert await answer.read() == b""


async def test_refusals_are_each_vendors_own():
    """A refusal has the vendor's place and stop reason."""
    _, gpt = await ask_json(*asked("openai", "demo-refusal"))
    _, claude = await ask_json(*asked("anthropic", "demo-refusal"))
    _, gemini = await ask_json(*asked("gemini", "demo-refusal"))
    _, response = await ask_json("/v1/responses", {"model": "demo-refusal", "input": "hi"})
    message = gpt["choices"][0]["message"]
    assert (message["content"], "refuse" in message["refusal"]) == (None, True)
    assert (claude["stop_reason"], claude["stop_details"]["type"]) == ("refusal", "refusal")
    assert (gemini["candidates"][0]["finishReason"], gemini["candidates"][0]["content"]["parts"]) == ("SAFETY", [])
    assert response["output"][0]["content"][0]["type"] == "refusal"


async def test_streamed_refusals_are_whole():
    """The pieces of a streamed refusal are those of the whole one."""
    path, body = asked("openai", "demo-refusal")
    _, whole = await ask_json(path, body)
    _, _, pieces = await ask(path, body | {"stream": True})
    said = "".join(chunk["choices"][0]["delta"].get("refusal") or "" for chunk in events(pieces))
    assert said == whole["choices"][0]["message"]["refusal"]


@pytest.mark.parametrize(
    ("setting", "model", "status"),
    [
        ("", "gpt-4o", 404),
        ("gpt-4o, claude-x", "gpt-4o", 200),
        ("gpt-4o,claude-x", "claude-x", 200),
        ("gpt-4o", "gpt-4o-mini", 404),
        ("all", "anything/at-all", 200),
        ("gpt-4o", "demo", 200),
    ],
)
async def test_other_names_are_answered_for_when_told(setting, model, status):
    """Names that the setting states are answered, echoed and listed; others are not."""
    roster = Roster.of(setting)
    got, answer = await ask_json(*asked("openai", model), roster=roster)
    assert got == status
    if status == 200:
        assert answer["model"] == model
    _, listed = await ask_json("/v1beta/models", method="GET", roster=roster)
    shown = [entry["name"] for entry in listed["models"]]
    assert (f"models/{model}" in shown) is (status == 200 and setting != "all")


@pytest.mark.parametrize(
    ("path", "headers", "member"),
    [
        ("/v1/models", [(b"x-goog-api-client", b"genai")], "models"),
        ("/v1/models", [(b"X-Goog-Api-Key", b"k")], "models"),
        ("/v1beta/models?pageSize=50", [], "models"),
        ("/v1/models", [(b"anthropic-version", b"2023-06-01")], "has_more"),
        ("/v1/models", [], "object"),
    ],
)
async def test_the_shape_of_a_list_is_the_callers(path, headers, member):
    """A list has the form of the vendor whose client asks."""
    _, found = await ask_json(path, method="GET", headers=headers)
    assert member in found
