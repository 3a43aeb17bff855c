import json
import tracemalloc

import msgspec
import pytest

from ingate.formats import MAX_TEXT, Format, ResponseReader, Usage, read_response
from ingate.formats import reader as reading
from ingate.formats.wires import wire_of
from tests.support.recordings import JSON, NDJSON, RECORDINGS, SSE, data_events, facts, named_events


def read(wire, media, *pieces, coding=""):
    reader = ResponseReader(wire, media, coding)
    for piece in pieces:
        reader.feed(piece)
    return reader.finish()


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda one: one.name)
def test_learns_from_a_recording(recording):
    """Every way a provider answers yields the facts it holds."""
    assert read(recording.format, recording.media, recording.body) == recording.facts
    assert read_response(recording.format, recording.media, "", recording.body) == recording.facts


@pytest.mark.parametrize("media", ["text/event-stream", "TEXT/Event-Stream ;charset=utf-8", "", "text/plain"])
def test_events_are_read_under_any_honest_label(media):
    """Parameters and case do not matter, and events without a proper label are recognised."""
    body = data_events({"model": "m", "choices": [{"delta": {"content": "Hi"}}]}, "[DONE]")
    assert read(Format.OPENAI_CHAT, media, body) == facts("m", completion="Hi")


def test_the_media_type_decides_not_the_request():
    """An error to a streamed request is a whole body."""
    body = b'{"error":{"type":"t","message":"m"}}'
    assert read(Format.ANTHROPIC_MESSAGES, "application/json; charset=utf-8", body).error == "t: m"
    assert read(Format.ANTHROPIC_MESSAGES, "application/problem+json", body).error == "t: m"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": "plain"}, "plain"),
        ({"error": ""}, "error"),
        ({"error": {}}, "error"),
        ({"error": 5}, "error"),
        ({"error": {"message": "m"}}, "m"),
        ({"error": {"type": "t"}}, "t"),
        ({"error": {"type": None, "code": 429, "message": ["m"]}}, "429"),
        ({"error": {"code": 503, "status": "UNAVAILABLE", "message": "m"}}, "UNAVAILABLE: m"),
        ({"error": {"message": "m" * 1000}}, "m" * 500),
        ({"detail": "Not Found"}, "Not Found"),
        ({"message": "no route"}, "no route"),
        ({"error": None, "model": "m"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("wire", [Format.OPENAI_CHAT, Format.ANTHROPIC_MESSAGES, Format.GEMINI, Format.OLLAMA])
def test_errors_are_described_in_a_line(wire, body, error):
    """However a provider writes an error, its type and message are told, at most 500 characters."""
    assert read(wire, JSON, json.dumps(body).encode()).error == error


def test_an_error_may_come_in_an_array():
    """Google answers so to OpenAI clients too."""
    body = b' [{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]'
    assert read(Format.OPENAI_CHAT, JSON, body) == facts(complete=False, error="INVALID_ARGUMENT: m")


def test_an_error_event_is_an_error_in_every_format():
    """An event named error needs no particular data, and the first error stays."""
    for wire in set(Format) - {Format.OTHER}:
        body = b'event: error\ndata: {"message":"m"}\n\nevent: error\ndata: oops\n\n'
        assert read(wire, SSE, body) == facts(complete=False, error="m")
        assert read(wire, SSE, b"event: error\ndata: oops\n\n").error == "error"


def test_an_error_that_carries_usage_is_paid():
    """Its tokens count; what else is in an error chunk does not."""
    chunk = {"error": {"message": "m"}, "choices": [{"delta": {"content": "x"}}], "usage": {"completion_tokens": 5}}
    assert read(Format.OPENAI_CHAT, SSE, data_events(chunk, "[DONE]")) == facts(usage=Usage(output=5), error="m")


def test_continuous_usage_is_not_added_up():
    """A provider that restates usage with every chunk is believed the last time."""
    chunks = [{"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": done}} for done in (1, 2, 3)]
    assert read(Format.OPENAI_CHAT, SSE, data_events(*chunks)).usage == Usage(input=5, output=3)


def test_gemini_usage_remembers_what_later_chunks_omit():
    """A field that only an early chunk has is kept."""
    chunks = [
        {"usageMetadata": {"promptTokenCount": 9, "cachedContentTokenCount": 4}},
        {"usageMetadata": {"promptTokenCount": 9}},
    ]
    assert read(Format.GEMINI, SSE, data_events(*chunks)).usage == Usage(input=5, cache_read=4)


def test_deepseek_names_its_cache_hits():
    """The cached part of a prompt has a name of its own there."""
    body = b'{"usage":{"prompt_tokens":10,"prompt_cache_hit_tokens":4,"completion_tokens":1}}'
    assert read(Format.OPENAI_CHAT, JSON, body).usage == Usage(input=6, cache_read=4, output=1)


def test_tool_calls_that_share_an_index_are_told_apart_by_id():
    """Some providers number every call zero."""
    calls = [{"index": 0, "id": name, "function": {"name": "f"}} for name in "aab"]
    chunks = [{"choices": [{"delta": {"tool_calls": [call]}}]} for call in calls]
    assert read(Format.OPENAI_CHAT, SSE, data_events(*chunks)).tool_calls == 2


@pytest.mark.parametrize("coding", ["", "gzip", "br", "zstd", "deflate", "bogus"])
@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe\x00", b"<html>", b"[[[[", b"[" * 100_000, b"data: {\n\n", b'{"choices":[{]}', b"null"]
)
def test_hostile_bytes_never_raise(coding, body):
    """Garbage of any kind, under any label and in any format, is read to facts that claim nothing."""
    for wire in Format:
        for media in (JSON, SSE, NDJSON, "", "text/html", "\x00", ";"):
            learned = read(wire, media, body, body, coding=coding)
            assert learned.error is None or learned.error.startswith(("unreadable: ", "broken: "))
            assert learned == facts(complete=False, error=learned.error)
            assert read_response(wire, media, coding, body + body) == learned


def test_what_is_unreadable_is_said_to_be():
    """The reader says why it could not read, and keeps what it learned before."""
    assert read(Format.OPENAI_CHAT, JSON, b"<html>").error == "broken: the body holds no JSON object"
    assert (
        read(Format.OPENAI_CHAT, JSON, b"{}", coding="lzma").error
        == "unreadable: content-encoding 'lzma' is not supported"
    )
    assert read(Format.OPENAI_CHAT, JSON, b"{}", coding="gzip").error == "broken: the compressed body is corrupt"
    assert read(Format.OPENAI_CHAT, JSON, b"") == facts(complete=False)


def test_what_nobody_can_read_is_a_failure():
    """A page instead of an answer fails whatever its status says; what only the gateway cannot read does not."""
    assert read(Format.ANTHROPIC_MESSAGES, "text/html", b"<html>").failure(stream=False)
    assert read(Format.OPENAI_CHAT, JSON, b"{}", coding="gzip").failure(stream=False)
    assert read(Format.OPENAI_CHAT, JSON, b"{}", coding="lzma").failure(stream=False) is None


def test_a_format_that_is_not_read_yields_nothing():
    """Bytes of other formats are not even kept."""
    reader = ResponseReader(Format.OTHER, JSON, "gzip")
    reader.feed(b'{"model":"m"}')
    assert reader._chunks == []
    assert reader.finish() == facts(complete=False)
    assert read_response(Format.OTHER, JSON, "", b'{"model":"m"}') == facts(complete=False)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda one: one.name)
def test_every_field_may_have_the_wrong_type(recording):
    """Facts come of whatever is left when the values of a response are exchanged for nonsense."""
    objects = json.loads(recording.body) if recording.media == JSON and "cut-off" not in recording.name else None
    if not isinstance(objects, dict):
        return
    for wrong in (5, -1, "x", True, None, [], [5], {}, [[]], [{}], {"a": 1}, 1e300):
        for key in objects:
            learned = read(recording.format, JSON, json.dumps({**objects, key: wrong}).encode())
            assert learned.complete


@pytest.mark.parametrize(("media", "body"), [(JSON, b'{"model":"m"}'), (SSE, b'data: {"model":"m"}\n\n')])
def test_a_fault_in_reading_spoils_no_answer(media, body, monkeypatch):
    """It is told of the one answer, as what could not be read: neither a stream nor a batch of records ends by it."""

    def broken(tally, data):
        raise ZeroDivisionError

    wire = msgspec.structs.replace(wire_of(Format.OPENAI_CHAT, media), event=broken, whole=broken)
    monkeypatch.setattr(reading, "wire_of", lambda *_: wire)
    for learned in (read(Format.OPENAI_CHAT, media, body), read_response(Format.OPENAI_CHAT, media, "", body)):
        assert learned == facts(complete=False, error="unreadable: a fault of the gateway, ZeroDivisionError")


def test_finishing_twice_tells_the_same():
    """The end may be asked for again, and bytes after it are ignored."""
    reader = ResponseReader(Format.OPENAI_CHAT, JSON, "")
    reader.feed(b'{"model":"m"}')
    first = reader.finish()
    reader.feed(b"more")
    assert reader.finish() == first


@pytest.mark.parametrize("piece", [1000, MAX_TEXT + 1])
def test_the_completion_is_capped(piece):
    """A completion is kept up to the cap, whole or streamed."""
    delta = {"type": "content_block_delta", "delta": {"text": "x" * piece}}
    assert read(Format.ANTHROPIC_MESSAGES, SSE, named_events(*[delta] * 100)).completion == "x" * min(
        MAX_TEXT, piece * 100
    )
    body = json.dumps({"content": [{"type": "text", "text": "x" * piece}] * 100}).encode()
    assert len(read(Format.ANTHROPIC_MESSAGES, JSON, body).completion) == min(MAX_TEXT, piece * 100)


def test_names_are_capped():
    """A provider cannot make the model or the finish reason large."""
    body = json.dumps({"model": "m" * 10**6, "choices": [{"finish_reason": "f" * 10**6}]}).encode()
    learned = read(Format.OPENAI_CHAT, JSON, body)
    assert (len(learned.model), len(learned.finish_reason)) == (256, 256)


def test_empty_text_is_not_hoarded():
    """Content without text is neither kept nor taken for an answer."""
    reader = ResponseReader(Format.OPENAI_CHAT, SSE, "")
    reader.feed(data_events(*[{"choices": [{"delta": {"content": [{"type": "image"}]}}]}] * 100))
    assert reader.finish().completion is None
    assert reader._tally.texts == []


def test_what_has_no_field_of_its_own_is_metadata():
    """Names and values of what an answer says beside its text and usage, and only of what it says."""
    assert facts("m", Usage(input=1), "text").metadata == ()
    assert facts(finish_reason="stop", error="e", tool_calls=2).metadata == (
        ("finish_reason", "stop"),
        ("provider_error", "e"),
        ("tool_calls", "2"),
    )


def test_tiny_chunks_are_not_hoarded():
    """A stream in one-byte pieces holds neither the pieces nor the events that are over."""
    reader = ResponseReader(Format.OPENAI_CHAT, SSE, "")
    event = data_events({"choices": [{"delta": {"content": "x"}}]})
    tracemalloc.start()
    for _ in range(2000):
        for at in range(len(event)):
            reader.feed(event[at : at + 1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
    assert len(reader.finish().completion) == 2000


def test_a_refusal_and_a_spoken_answer_are_the_completion():
    """Whole and streamed, of chat and of Responses."""
    refused = {"choices": [{"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}]}
    assert read(Format.OPENAI_CHAT, JSON, json.dumps(refused).encode()).completion == "No."
    spoken = {"choices": [{"message": {"content": None, "audio": {"transcript": "Ahoy"}}, "finish_reason": "stop"}]}
    assert read(Format.OPENAI_CHAT, JSON, json.dumps(spoken).encode()).completion == "Ahoy"
    chunks = [{"choices": [{"delta": {"refusal": word}}]} for word in ("N", "o.")]
    assert read(Format.OPENAI_CHAT, SSE, data_events(*chunks)).completion == "No."
    output = [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}]
    assert read(Format.OPENAI_RESPONSES, JSON, json.dumps({"output": output}).encode()).completion == "No."
    events = [{"type": "response.refusal.delta", "delta": "No."}]
    assert read(Format.OPENAI_RESPONSES, SSE, data_events(*events)).completion == "No."


@pytest.mark.parametrize("media", ["audio/mpeg", "audio/wav; rate=24000", "application/octet-stream", "video/mp4"])
def test_sound_is_not_looked_into(media):
    """It says nothing, and that is no failure; what is written beside it is read all the same."""
    learned = read(Format.OPENAI_SPEECH, media, b'{"error":{"message":"no"}}' + bytes(300_000))
    assert (learned.error, learned.failure(stream=False)) == (None, None)
    assert read(Format.OPENAI_SPEECH, JSON, b'{"error":{"message":"no"}}').error == "no"


def test_a_transcription_may_be_plain_text():
    """As it is, up to what is kept; an error page of another type is none."""
    assert read(Format.OPENAI_TRANSCRIPTIONS, "text/plain", b"\xef\xbb\xbfAh", b"oy\xff") == facts(
        None, completion="Ahoy\ufffd"
    )
    long = read(Format.OPENAI_TRANSCRIPTIONS, "application/x-subrip", *["ü".encode() * 20_000] * 30)
    assert long.completion == "ü" * MAX_TEXT
    assert read(Format.OPENAI_TRANSCRIPTIONS, "text/html", b"<html>").completion is None
    assert read(Format.OPENAI_CHAT, "text/plain", b"Ahoy").completion is None


def test_a_fetched_answer_states_neither_tokens_nor_cost_of_its_own():
    """Its maker's entry has them. What was made in the background is to be counted once."""
    usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7, "cost_in_usd_ticks": 10**7}
    said = {"id": "r", "model": "m", "status": "completed", "output": [{"type": "web_search_call"}], "usage": usage}
    stored = read(Format.OPENAI_STORED_RESPONSES, JSON, json.dumps(said).encode())
    assert stored == facts("m", finish_reason="completed", terms=(("usage_counted_by", "the call that made it"),))
    waiting = read(Format.OPENAI_STORED_RESPONSES, JSON, json.dumps({**said, "background": True}).encode())
    assert (waiting.usage, waiting.units) == (Usage(input=5, output=2), (("web_searches", 1),))
    assert dict(waiting.terms) == {"answer_id": "r", "provider_cost_usd": "0.001"}
