"""Gemini generateContent, streamGenerateContent and countTokens, answered. Knows that format and the demo model."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from ingate.providers.demo import answers, likelihoods, media
from ingate.providers.demo.answers import Answer, Stamp
from ingate.providers.demo.fields import (
    JsonObject,
    as_alternatives,
    as_array,
    as_few,
    as_flag,
    as_object,
    as_text,
    maybe,
)
from ingate.providers.demo.gemini_names import camel
from ingate.providers.demo.gemini_request import CONFIG, config_of, prompt_of, thinking_of
from ingate.providers.demo.model import Reply, read
from ingate.providers.demo.model import answers as answers_of

_FINISHES = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "refusal": "SAFETY"}


@dataclass(frozen=True, slots=True)
class _Asked:
    """An answered request: the candidates, and what the caller wants to have with them.

    `thoughts`: what was thought. `alternatives` of each token, None for no likelihoods. `medium`: a part that is a
    picture or a sound, with its modality and its tokens.
    """

    replies: list[Reply]
    model: str
    stamp: Stamp
    thoughts: bool
    alternatives: int | None
    medium: tuple[JsonObject, str, int] | None


def generate(body: JsonObject, model: str, stamp: Stamp) -> Answer:
    """Answers `:generateContent`. Raises `Fault`."""
    asked = _answered(camel(body), model, stamp)
    candidates = [_candidate(asked, place, _parts(asked, reply)) for place, reply in enumerate(asked.replies)]
    return answers.whole(_chunk(asked, candidates, sum(reply.spoken_tokens for reply in asked.replies)))


def stream(body: JsonObject, model: str, stamp: Stamp, *, as_events: bool) -> Answer:
    """Answers `:streamGenerateContent`, as server-sent events or as one growing JSON array. Raises `Fault`."""
    chunks = _chunks(_answered(camel(body), model, stamp))
    if as_events:
        return answers.event_stream(map(answers.data, chunks))
    pieces = [(b"[" if place == 0 else b",\r\n") + msgspec.json.encode(chunk) for place, chunk in enumerate(chunks)]
    return Answer(200, answers.JSON, (*pieces, b"]"))


def count_tokens(body: JsonObject, model: str, _stamp: Stamp) -> Answer:
    """Answers `:countTokens`. Raises `Fault`."""
    given = camel(body)
    asked = maybe(as_object, given, "generateContentRequest")
    total = read(prompt_of(given if asked is None else camel(asked), model)).total
    return answers.whole({"totalTokens": total, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": total}]})


def _answered(body: JsonObject, model: str, stamp: Stamp) -> _Asked:
    prompt, config = prompt_of(body, model), config_of(body)
    number = maybe(as_few, config, "candidateCount", CONFIG) or 1
    likely = maybe(as_flag, config, "responseLogprobs", CONFIG)
    alternatives = maybe(as_alternatives, config, "logprobs", CONFIG) or 0
    return _Asked(
        answers_of(prompt, number),
        model,
        stamp,
        thoughts=maybe(as_flag, thinking_of(config), "includeThoughts", f"{CONFIG}.thinkingConfig") or False,
        alternatives=alternatives if likely else None,
        medium=_medium(config, stamp),
    )


def _medium(config: JsonObject, stamp: Stamp) -> tuple[JsonObject, str, int] | None:
    listed = maybe(as_array, config, "responseModalities", CONFIG) or []
    wanted = {as_text(item, f"{CONFIG}.responseModalities[{place}]").upper() for place, item in enumerate(listed)}
    if "IMAGE" in wanted:
        return _inline("image/png", media.picture(stamp.digest)), "IMAGE", media.PICTURE_TOKENS
    if "AUDIO" in wanted:
        kind = f"audio/L16;codec=pcm;rate={media.RATE}"
        return _inline(kind, media.pcm(stamp.digest)), "AUDIO", media.SOUND_TOKENS
    return None


def _inline(kind: str, content: bytes) -> JsonObject:
    return {"inlineData": {"mimeType": kind, "data": base64.b64encode(content).decode()}}


def _parts(asked: _Asked, reply: Reply) -> list[JsonObject]:
    parts: list[JsonObject] = []
    if reply.thoughts and asked.thoughts:
        parts.append({"text": reply.thought, "thought": True})
    if reply.pieces and reply.finish != "refusal":
        parts.append({"text": reply.text})
    parts += [{"functionCall": {"name": call.name, "args": call.arguments}} for call in reply.calls]
    return parts + ([asked.medium[0]] if asked.medium is not None and not reply.calls else [])


def _candidate(asked: _Asked, place: int, parts: list[JsonObject], *, last: bool = True) -> JsonObject:
    reply = asked.replies[place]
    candidate: JsonObject = {"content": {"role": "model", "parts": parts}, "index": place}
    if not last:
        return candidate
    candidate["finishReason"] = _FINISHES[reply.finish]
    if asked.alternatives is not None and reply.pieces:
        chosen = [likelihoods.likelihood(token, at) for at, token in enumerate(reply.pieces)]
        candidate["avgLogprobs"] = sum(chosen) / len(chosen)
        candidate["logprobsResult"] = likelihoods.gemini(reply.pieces, asked.alternatives)
    return candidate


def _chunk(asked: _Asked, candidates: list[JsonObject], emitted: int, *, last: bool = True) -> JsonObject:
    count = asked.replies[0].input
    thought = sum(len(reply.thoughts) for reply in asked.replies)
    used: JsonObject = {
        "promptTokenCount": count.total,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count.total}],
    }
    if asked.medium is not None and last:
        _, modality, cost = asked.medium
        drawn = cost * sum(not reply.calls for reply in asked.replies)
        used["candidatesTokensDetails"] = [
            {"modality": "TEXT", "tokenCount": emitted},
            {"modality": modality, "tokenCount": drawn},
        ]
        emitted += drawn
    used |= {"candidatesTokenCount": emitted, "totalTokenCount": count.total + thought + emitted}
    if count.cached:
        used["cachedContentTokenCount"] = count.cached
    if thought:
        used["thoughtsTokenCount"] = thought
    named = {"modelVersion": asked.model, "responseId": asked.stamp.digest[:24]}
    return {"candidates": candidates, "usageMetadata": used} | named


def _chunks(asked: _Asked) -> Iterator[JsonObject]:
    emitted = 0
    for place, reply in enumerate(asked.replies):
        streamed = list(_streamed(asked, reply))
        for number, (parts, tokens) in enumerate(streamed, 1):
            last = number == len(streamed)
            emitted += tokens
            candidate = _candidate(asked, place, parts, last=last)
            # Counts grow with the stream, and the last ones are exact.
            yield _chunk(asked, [candidate], emitted, last=last and place == len(asked.replies) - 1)


def _streamed(asked: _Asked, reply: Reply) -> Iterator[tuple[list[JsonObject], int]]:
    """Yields the parts of each chunk of a candidate, and how many tokens are in them that are no thoughts."""
    for piece in answers.deltas(reply.thoughts) if asked.thoughts else ():
        yield [{"text": piece, "thought": True}], 0
    pieces = [] if reply.finish == "refusal" else answers.deltas(reply.pieces)
    rest = [part for part in _parts(asked, reply) if "text" not in part]
    done = 0
    for number, piece in enumerate(pieces, 1):
        last = number == len(pieces)
        size = reply.spoken_tokens - done if last else -(-len(reply.pieces) // len(pieces))
        done += size
        yield [{"text": piece}] + (rest if last else []), size
    if not pieces:
        yield rest, reply.spoken_tokens
