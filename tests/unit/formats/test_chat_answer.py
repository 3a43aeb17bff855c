import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen.ingate.chat.v1 import answer_pb2 as answers
from ingate.errors import DomainError, ProviderFailed, ProviderTimedOut, TooLarge
from ingate.formats import Format, chat_answer
from ingate.formats.chat_answer import LONGEST, MAX_CALLS, ChatReader
from ingate.formats.facts import BROKEN
from ingate.pricing.usage import Usage
from ingate.proxy.stream_errors import error_event
from tests.support.recordings import JSON, RECORDINGS, SSE
from tests.support.recordings.recording import data_events

CHATS = [
    one
    for one in RECORDINGS
    if one.format is Format.OPENAI_CHAT and one.media in {JSON, SSE} and not (one.facts.error or "").startswith(BROKEN)
]
BUCKETS = {"input": "input_tokens", "output": "output_tokens", "reasoning": "reasoning_tokens"} | {
    name: f"{name}_tokens" for name in ("cache_read", "cache_write")
}
HELLO = {"choices": [{"index": 0, "delta": {"content": "Hello"}}]}


def delta(finish=None, **said):
    return {"model": "m", "choices": [{"index": 0, "delta": said, "finish_reason": finish}]}


def calling(**call):
    return delta(tool_calls=[call])


def events_of(pieces, media=SSE, encoding="", *, complete=True):
    """Returns the events of an answer, and the error that it ended with or None."""
    found = []
    try:
        reader = ChatReader("openai", media, encoding)
        for piece in pieces:
            found += reader.feed(piece)
        found += reader.finish() if complete else reader.cut()
    except DomainError as error:
        return found, error
    return found, None


def said(body, media=SSE, **options):
    """Returns the events of an answer that is whole."""
    events, error = events_of([body], media, **options)
    assert error is None, error
    assert events[-1].HasField("finished")
    return events


def failed(body, media=SSE, **options):
    """Returns the error with which an answer ends."""
    events, error = events_of([body], media, **options)
    assert error is not None, events
    return error


def calls(events):
    """Returns the tool calls of some events: index, id, name and arguments of each piece."""
    deltas = [event.tool_call_delta for event in events if event.HasField("tool_call_delta")]
    return [(one.index, one.id, one.name, one.arguments) for one in deltas]


def as_usage(usage):
    return Usage(**{name: getattr(usage, field) for name, field in BUCKETS.items() if usage.HasField(field)})


@pytest.mark.parametrize("recording", CHATS, ids=lambda one: one.name)
def test_a_caller_is_told_what_the_record_says(recording):
    """Text, reason, usage and calls are those that are learned for the log, and what failed there fails here."""
    facts = recording.facts
    events, error = events_of([recording.body], recording.media)
    if facts.error or not facts.complete:
        assert isinstance(error, ProviderFailed)
        return
    assert error is None
    finished = events[-1].finished
    text = "".join(event.text_delta or event.refusal_delta for event in events)
    assert text == (facts.completion or "")
    assert (finished.provider_finish_reason or None, finished.model or None) == (facts.finish_reason, facts.model)
    assert as_usage(finished.usage) == facts.usage
    assert len({index for index, *_ in calls(events)}) == facts.tool_calls


@pytest.mark.parametrize("recording", CHATS, ids=lambda one: one.name)
def test_a_cut_at_every_byte_yields_the_same_events(recording):
    """The events do not depend on where an answer is divided, nor does its failure."""
    body = recording.body
    whole, failure = events_of([body], recording.media)
    for cut in range(len(body)):
        events, error = events_of([body[:cut], b"", body[cut:]], recording.media)
        assert (events, str(error)) == (whole, str(failure))


@settings(max_examples=40)
@given(recording=st.sampled_from(CHATS), packed=st.booleans(), data=st.data())
def test_any_division_yields_the_same_events(recording, packed, data):
    """Into any number of pieces, and compressed although nobody asked for that."""
    body = gzip.compress(recording.body, mtime=0) if packed else recording.body
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=30)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    whole, failure = events_of([recording.body], recording.media)
    events, error = events_of(pieces, recording.media, "gzip" if packed else "")
    assert (events, str(error)) == (whole, str(failure))


@given(recording=st.sampled_from(CHATS), at=st.integers(0, 4000), noise=st.binary(max_size=9), complete=st.booleans())
def test_any_damage_ends_in_a_failure_of_the_provider(recording, at, noise, complete):
    """Or in an answer; never in an error of ours."""
    at %= len(recording.body)
    damaged = recording.body[:at] + noise + recording.body[at + len(noise) :]
    _, error = events_of([damaged], recording.media, complete=complete)
    assert error is None or isinstance(error, (ProviderFailed, ProviderTimedOut))


def test_a_whole_answer_is_read_as_a_stream_of_it():
    """Text, refusal and calls in this order."""
    message = {
        "content": "a",
        "refusal": "b",
        "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}],
    }
    body = json.dumps({"model": "m", "choices": [{"message": message, "finish_reason": "tool_calls"}]}).encode()
    events = said(body, JSON)
    assert [event.WhichOneof("event") for event in events] == [
        "text_delta",
        "refusal_delta",
        "tool_call_delta",
        "finished",
    ]
    assert calls(events) == [(0, "c1", "f", "{}")]
    assert events[-1].finished.finish_reason == answers.FINISH_REASON_TOOL_CALLS
    assert not events[-1].finished.HasField("usage")


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "STOP"),
        ("length", "LENGTH"),
        ("model_length", "LENGTH"),
        ("tool_calls", "TOOL_CALLS"),
        ("content_filter", "CONTENT_FILTER"),
        ("network_error", "ERROR"),
        ("eos", "OTHER"),
        (None, "UNSPECIFIED"),
    ],
)
def test_reasons(word, reason):
    """Each has its word beside it."""
    finished = said(data_events(delta(word, content="x"), "[DONE]"))[-1].finished
    assert answers.FinishReason.Name(finished.finish_reason) == f"FINISH_REASON_{reason}"
    assert finished.provider_finish_reason == (word or "")


def test_a_count_that_is_not_stated_is_absent():
    """And not zero; one that makes no sense is left out alone."""
    usage = {"prompt_tokens": 7, "completion_tokens": -1}
    finished = said(data_events(delta("stop", content="x"), {"choices": [], "usage": usage}, "[DONE]"))[-1].finished
    assert [field.name for field, _ in finished.usage.ListFields()] == ["input_tokens", "total_tokens"]
    assert finished.usage.input_tokens == 7


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        # A number that fits nowhere, and two ids under one number.
        (
            [{"index": 10**30, "id": "a", "function": {"name": "f", "arguments": "{"}}, {"index": 10**30, "id": "b"}],
            [(0, "a", "f", "{"), (1, "b", "", "")],
        ),
        (
            [{"index": -5, "id": "a"}, {"index": -5, "function": {"arguments": "1"}}],
            [(0, "a", "", ""), (0, "", "", "1")],
        ),
        # Neither number nor id.
        (
            [{"function": {"name": "f"}}, {"function": {"arguments": "{}"}}],
            [(0, "", "f", ""), (0, "", "", "{}")],
        ),
        # What is repeated is told once, and what comes late is told.
        (
            [{"index": 0, "id": "a", "function": {"name": "f"}}, {"index": 0, "id": "a", "function": {"name": "f"}}],
            [(0, "a", "f", ""), (0, "", "", "")],
        ),
        ([{"index": 3}, {"index": 3, "id": "late"}], [(0, "", "", ""), (0, "late", "", "")]),
        # Arguments that are an object, none, and no JSON.
        (
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": [1]}}}],
            [(0, "a", "f", '{"x": [1]}')],
        ),
        ([{"index": 0, "id": "a", "function": {"name": "f", "arguments": None}}], [(0, "a", "f", "")]),
        ([{"index": 0, "id": "a", "function": {"arguments": "{nonsense"}}], [(0, "a", "", "{nonsense")]),
    ],
)
def test_tool_calls(pieces, expected):
    """Calls are numbered as they begin, and arguments handed on as they are."""
    events = said(data_events(*[calling(**piece) for piece in pieces], delta("tool_calls"), "[DONE]"))
    assert calls(events) == expected


def test_calls_without_end():
    """Are bounded."""
    pieces = [calling(index=number, id=str(number)) for number in range(MAX_CALLS + 1)]
    events, error = events_of([data_events(*pieces)])
    assert len(calls(events)) == MAX_CALLS
    assert isinstance(error, ProviderFailed)


def test_what_is_unknown_is_passed_over():
    """Fields, choices and types of content."""
    events = said(
        data_events(
            {"x": 1, "choices": [{"index": 0, "delta": {"content": "a", "y": {}}, "z": []}, {"index": 1, "delta": {}}]},
            {"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": "stop"}]},
            delta(content=[{"type": "thinking", "thinking": []}, {"type": "text", "text": "b"}]),
            delta(content=None),
            delta(content=7),
            {"choices": None},
            {"choices": "x"},
            delta("length"),
            "[DONE]",
        )
    )
    assert [event.text_delta for event in events[:-1]] == ["a", "b"]
    assert events[-1].finished.finish_reason == answers.FINISH_REASON_LENGTH


def test_text_that_is_broken_costs_its_character_alone():
    """Half an emoji, and bytes that are no UTF-8."""
    events = said(data_events(delta(content="a\ud83d"), "[DONE]"))
    assert events[0].text_delta == "a\ufffd"
    events = said(b'data: {"choices":[{"delta":{"content":"a\xffb"}}]}\n\ndata: [DONE]\n\n')
    assert events[0].text_delta == "a\ufffdb"


def test_what_comes_behind_the_end():
    """Is not read: it can neither add to an answer nor spoil it."""
    body = data_events(delta("stop", content="a"), "[DONE]")
    for more in (data_events(HELLO), b"data: nonsense\n\n", b"data: cut"):
        assert said(body + more) == said(body)
        assert events_of([body, more], complete=False)[1] is None


def test_the_end_may_be_a_reason_alone():
    """Not every provider sends the marker; without either, nobody knows that it is the end."""
    assert len(said(data_events(delta("stop", content="a")))) == 2
    assert isinstance(failed(data_events(HELLO)), ProviderFailed)
    assert len(said(data_events(HELLO, "[DONE]"))) == 2


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"", JSON),
        (b"  ", JSON),
        (b"{", JSON),
        (b"[]", JSON),
        (b"<html>", "text/html"),
        (b'{"choices":[]}', JSON),
        (b'{"object":"list"}', JSON),
        (b"", SSE),
        (b": comment\n\n", SSE),
        (data_events("[DONE]"), SSE),
        (data_events("nonsense"), SSE),
        (data_events({"choices": []}, "[DONE]"), SSE),
    ],
)
def test_what_is_no_answer(body, media):
    """An empty one, another thing, and what nobody can read."""
    assert type(failed(body, media)) is ProviderFailed


@pytest.mark.parametrize("media", [JSON, SSE])
def test_an_answer_that_is_broken_off(media):
    """However much of it has come."""
    assert "broke off" in str(failed(data_events(delta("stop", content="x")), media, complete=False))


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (data_events(HELLO, {"error": {"code": "overloaded", "message": "busy"}}), "overloaded", "busy"),
        (data_events({"error": {"type": "server_error", "code": None, "message": "m"}}), "server_error", "m"),
        (data_events({"error": {"code": 429, "message": "m"}}), "429", "m"),
        (data_events({"error": "words"}), None, "words"),
        (b'event: error\ndata: {"message":"m"}\n\n', None, "m"),
        (data_events({"choices": [{"delta": {}, "error": {"code": "c", "message": "m"}}]}), "c", "m"),
        (data_events({"error": {}}), None, None),
    ],
)
def test_an_error_in_a_stream(body, code, message):
    """Its words are in the metadata, and in no message, which may be logged."""
    error = failed(body)
    assert type(error) is ProviderFailed
    assert error.metadata == {
        name: words for name, words in (("provider_code", code), ("provider_message", message)) if words
    }
    assert not message or message not in error.message.split()


@pytest.mark.parametrize(("timeout", "kind"), [(True, ProviderTimedOut), (False, ProviderFailed)])
def test_the_gateways_own_end_of_a_stream_that_broke(timeout, kind):
    """Is told as what happened."""
    error = failed(data_events(HELLO) + error_event(Format.OPENAI_CHAT, timeout))
    assert type(error) is kind
    assert not error.metadata


def test_an_answer_without_end():
    """Neither an event nor a whole answer is held beyond the bound."""
    head = b'{"choices":[{"message":{"content":"'
    for media, begin in ((SSE, b"data: " + head), (JSON, head)):
        pieces = [begin, *[b"x" * 65536] * (LONGEST // 65536 + 1)]
        assert isinstance(events_of(pieces, media)[1], TooLarge)


def test_a_coding_that_nobody_knows():
    """And one that is not what it says."""
    assert "cannot be read" in str(failed(b"", encoding="bogus"))
    assert "cannot be read" in str(failed(b"no gzip at all", encoding="gzip"))


def test_the_words_of_finish_reasons_are_bounded():
    """As is the model's name."""
    finished = said(data_events(delta("x" * 1000, content="a") | {"model": "y" * 1000}, "[DONE]"))[-1].finished
    assert (len(finished.provider_finish_reason), len(finished.model)) == (chat_answer.MAX_NAME, chat_answer.MAX_NAME)
