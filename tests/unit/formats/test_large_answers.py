"""Answers of any size are read by counted work: what stands behind something large is found, bombs are given up."""

import gzip
import tracemalloc
import zlib

import brotli
import pytest
import zstandard

from ingate.formats import LARGE, Format, ResponseReader, Usage, read_response, shape
from ingate.formats.pace import MOST, SLICE, Budget, Pace
from tests.support.recordings import JSON, NDJSON, SSE, data_events, facts, named_events
from tests.support.recordings.recording import lines, whole

PICTURE = "iVBORw0KGgo" * 600_000  # 6.6 MB
TEXT = 'He said: "a\\b"\n' * 30_000


def spent(budget):
    return MOST - budget._left


def read(wire, media, body, *, coding="", size=64 * 1024):
    """Returns the facts, the work they took in units, and in how many pieces it was done."""
    budget = Budget(Pace())
    reader = ResponseReader(wire, media, coding, budget)
    pieces = 0
    for at in range(0, len(body), size):
        if reader.gather(body[at : at + size]):
            pieces += sum(1 for _ in reader.reading())
    ending = reader.finishing()
    while True:
        try:
            next(ending)
        except StopIteration as ended:
            return ended.value, spent(budget), pieces
        pieces += 1


USED = {"input_tokens": 2200, "output_tokens": 80, "total_tokens": 2280}
DRAWN = {
    "model": "gpt-5",
    "status": "completed",
    "output": [
        {"type": "image_generation_call", "result": PICTURE},
        {"type": "message", "content": [{"type": "output_text", "text": "Here."}]},
    ],
    "usage": USED,
}
CHAT = {
    "model": "m",
    "padding": PICTURE,
    "choices": [{"index": 0, "message": {"images": [{"url": PICTURE}], "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2},
}
CLAUDE = {
    "model": "c",
    "content": [{"type": "image", "data": PICTURE}, {"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 2},
}
GEMINI = {
    "candidates": [
        {"content": {"parts": [{"inlineData": {"data": PICTURE}}, {"text": "Hi"}]}, "finishReason": "STOP", "index": 0}
    ],
    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2},
    "modelVersion": "g",
}
OLLAMA = {
    "model": "o",
    "image": PICTURE,
    "message": {"content": "Hi"},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 5,
    "eval_count": 2,
}
FEW = Usage(input=5, output=2)
IMAGES = {"data": [{"b64_json": PICTURE}], "usage": {"input_tokens": 5, "output_tokens": 2}}
DREW = facts(None, FEW, "[1 image]", units=(("output_image_tokens", 2),), terms=(("images", "1"),))
LARGE_ANSWERS = [
    (Format.OPENAI_CHAT, JSON, whole(CHAT), facts("m", FEW, "Hi", "stop")),
    (Format.OPENAI_CHAT, "", b"\xef\xbb\xbf" + whole(CHAT), facts("m", FEW, "Hi", "stop")),
    (Format.OPENAI_CHAT, SSE, data_events({"x": "y"}, CHAT, "[DONE]"), facts("m", FEW, "Hi", "stop")),
    (Format.OPENAI_RESPONSES, JSON, whole(DRAWN), facts("gpt-5", Usage(2200, None, None, 80), "Here.", "completed")),
    (
        Format.OPENAI_RESPONSES,
        SSE,
        named_events(
            {"type": "response.output_text.delta", "delta": "Here."},
            {"type": "response.output_item.done", "item": DRAWN["output"][0]},
            {"type": "response.completed", "response": DRAWN},
        ).replace(b"\n", b"\r\n"),
        facts("gpt-5", Usage(2200, None, None, 80), "Here.", "completed"),
    ),
    (Format.ANTHROPIC_MESSAGES, JSON, whole(CLAUDE), facts("c", FEW, "Hi", "end_turn")),
    (Format.GEMINI, JSON, whole(GEMINI), facts("g", FEW, "Hi", "STOP")),
    (Format.GEMINI, JSON, whole([{"x": 1}, GEMINI]), facts("g", FEW, "Hi", "STOP")),
    (Format.GEMINI, "text/plain", data_events(GEMINI), facts("g", FEW, "Hi", "STOP")),
    (Format.OLLAMA, NDJSON, lines({"model": "o"}, OLLAMA), facts("o", FEW, "Hi", "stop")),
    (Format.OPENAI_IMAGES, JSON, whole(IMAGES), DREW),
    (
        Format.OPENAI_IMAGES,
        SSE,
        named_events(
            {"type": "image_generation.partial_image", "b64_json": PICTURE},
            {"type": "image_generation.completed", "b64_json": PICTURE, "usage": IMAGES["usage"]},
        ),
        DREW,
    ),
    (
        Format.OPENAI_SPEECH,
        SSE,
        named_events(
            {"type": "speech.audio.delta", "audio": PICTURE},
            {"type": "speech.audio.done", "usage": {"input_tokens": 5, "output_tokens": 2}},
        ),
        facts(None, FEW),
    ),
    (
        Format.OPENAI_TRANSCRIPTIONS,
        JSON,
        whole({"segments": PICTURE, "text": "Hi", "usage": {"type": "duration", "seconds": 9}}),
        facts(None, completion="Hi", units=(("audio_seconds", 9),)),
    ),
    (
        Format.BEDROCK_CONVERSE,
        JSON,
        whole(
            {
                "output": {"message": {"content": [{"image": {"source": {"bytes": PICTURE}}}, {"text": "Hi"}]}},
                "stopReason": "end_turn",
                "usage": {"inputTokens": 5, "outputTokens": 2},
            }
        ),
        facts(None, FEW, "Hi", "end_turn"),
    ),
    (Format.RERANK, JSON, whole({"results": PICTURE, "usage": {"total_tokens": 5}}), facts(None, Usage(input=5))),
]


@pytest.mark.parametrize("size", [997, 64 * 1024, 10**9])
@pytest.mark.parametrize(("wire", "media", "body", "expected"), LARGE_ANSWERS)
def test_what_stands_behind_a_picture_is_found(wire, media, body, expected, size):
    """Usage, text and finish reason are there, for work that is small beside the bytes, and little is held."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    learned, work, _ = read(wire, media, body, size=size)
    held = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert learned == expected
    assert work < len(body) / 100
    assert size > len(body) or held < 4 * 2**20
    assert read_response(wire, media, "", body) == expected


def test_a_body_over_32_mib_has_its_usage():
    """How long a body is does not matter."""
    start = b'{"model":"m","choices":[{"index":0,"message":{"content":"Hi"}}],"padding":"'
    reader = ResponseReader(Format.OPENAI_CHAT, JSON, "")
    reader.feed(start)
    for _ in range(33):
        reader.feed(b"x" * 2**20)
    reader.feed(b'","usage":{"prompt_tokens":5,"completion_tokens":2}}')
    assert reader.finish() == facts("m", FEW, "Hi")


def test_a_long_completion_is_cut_and_nothing_else():
    """Of a completion of many escapes the beginning is kept, and the usage behind it is read."""
    answer = {"choices": [{"message": {"content": TEXT * 3}, "finish_reason": "length"}], "usage": CHAT["usage"]}
    learned, work, pieces = read(Format.OPENAI_CHAT, JSON, whole(answer))
    assert learned == facts(None, FEW, (TEXT * 3)[: 64 * 1024], "length", unkept=learned.unkept)
    assert learned.unkept > 64 * 1024
    assert pieces >= work // 3000 > 0


def test_a_large_answer_that_breaks_off_tells_what_came():
    """What was there is kept, and the entry says that it is not all."""
    body = whole({"model": "m", "x": PICTURE, "usage": {"prompt_tokens": 5}, "choices": []})
    assert read(Format.OPENAI_CHAT, JSON, body[:-10])[0] == facts(
        "m", Usage(input=5), complete=False, error="unreadable: the body is broken off"
    )


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("odd", ["NaN", "-Infinity", "[Infinity]", "1e999", '"\\ud83d"', "9" * 500])
@pytest.mark.parametrize("size", [0, LARGE])
@pytest.mark.parametrize("media", [JSON, SSE, NDJSON, "text/plain"])
def test_odd_json_is_read(mark, odd, size, media):
    """Numbers that are none, half characters and a byte order mark hide no usage."""
    body = '{"logprob":%s,"x":"%s","model":"m","model":"n","usage":{"prompt_tokens":5,"completion_tokens":%s}}'
    text = (body % (odd, "y" * size, odd)).encode()
    body = mark + (b"data: %b\n\n" % text if media == SSE else text)
    learned = read(Format.OPENAI_CHAT, media, body)[0]
    assert (learned.model, learned.usage.input, learned.usage.output) == ("n", 5, None)
    assert learned.error is None


def bare(data):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


START = b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
PACK = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=1),
    "zstd": zstandard.ZstdCompressor(level=19).compress,
}
FILLS = {
    "zeros": bytes(2**24),
    "events": b"data: {}\n\n" * 2_000_000,
    "line-ends": b"\r" * 2**24,
    "one-event": b"data: " + b"[]," * 5_000_000,
}


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("coding", PACK)
def test_a_bomb_is_too_large(coding, fill):
    """A body that unpacks to very much more than it is long is given up; what was learned before stays."""
    packed = PACK[coding](START + FILLS[fill])
    learned, work, pieces = read(Format.OPENAI_CHAT, SSE, packed, coding=coding)
    assert learned == facts("m", completion="Hi", complete=False, error="unreadable: too large")
    assert learned.metadata == (("provider_error", "unreadable: too large"),)
    assert work < 500_000
    assert pieces >= work // 3000


def test_members_of_gzip_are_no_way_around():
    """Members are counted together."""
    packed = gzip.compress(START) + gzip.compress(bytes(2**20)) * 64
    assert read(Format.OPENAI_CHAT, SSE, packed, coding="gzip")[0].error == "unreadable: too large"


BUSY = {
    "tiny-events": (SSE, b"data: {}\n\n"),
    "broken-events": (SSE, b'data: {"choices":5}\n\n'),
    "error-events": (SSE, b"event: error\ndata: x\n\n"),
    "tiny-lines": (NDJSON, b"{}\n"),
    "objects": (JSON, b'{"choices":[{}]},'),
    "nested": (JSON, b"[[[[[1]]]]],"),
    "crowd-of-choices": (JSON, b"{},"),
}


@pytest.mark.parametrize("busy", BUSY)
def test_very_many_things_are_too_many(busy):
    """Work is counted as it comes and ends at the budget; no piece of it is long."""
    media, one = BUSY[busy]
    budget = Budget(Pace(), 20_000)
    reader = ResponseReader(Format.OPENAI_CHAT, media, "", budget)
    if media == JSON:
        reader.feed(b'{"model":"m","choices":[')
    pieces = 0
    for _ in range(200):
        if reader.gather(one * (SLICE // len(one))):
            pieces += sum(1 for _ in reader.reading())
    learned = reader.finish()
    assert learned.error in {"unreadable: too large", "x"} | ({"error"} if busy == "error-events" else set())
    assert not learned.complete
    assert learned.model == ("m" if media == JSON else None)
    assert budget._left < 0
    assert pieces >= 20_000 // 1500
    assert reader._condenser is None


@pytest.mark.parametrize("items", [b"5,", b'{"delta":5},', b'{"index":"x","finish_reason":[]},'])
def test_values_of_the_wrong_type_are_not_looked_into_for_ever(items, monkeypatch):
    """After some hundred values that do not fit, no more are tried."""
    tried = 0
    salvage = shape._fit

    def counted(*args):
        nonlocal tried
        tried += 1
        return salvage(*args)

    monkeypatch.setattr(shape, "_fit", counted)
    body = b'{"model":"m","choices":[%b{}]}' % (items * (100_000 // len(items)))
    assert read_response(Format.OPENAI_CHAT, JSON, "", body).model == "m"
    assert tried <= 60_000
    assert len(body) < LARGE


def test_reading_that_is_stopped_claims_nothing_more():
    """When a piece of work is the last that is done, what follows is not read as if it came behind it."""
    reader = ResponseReader(Format.OPENAI_CHAT, SSE, "")
    for _ in range(100):
        reader.gather(START * 20)
    steps = reader.reading()
    next(steps)
    steps.close()
    reader.feed(data_events({"usage": {"prompt_tokens": 5}}))
    learned = reader.finish()
    assert (learned.model, learned.usage) == ("m", Usage())
    assert learned.error == "unreadable: reading it was stopped"
