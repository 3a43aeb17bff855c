"""The deterministic demo model: a prompt in, a reply out. Knows no wire format, no clock and no chance.

It greets when greeted, calls the tools that it is told to or that the last user message
asks for, quotes tool results, and otherwise says what it was asked. After a tool result
it always answers in text, so an agent's loop ends. It thinks when it is told to.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from ingate.providers.demo import calling, replies, samples, tokens
from ingate.providers.demo.calling import Tool
from ingate.providers.demo.fields import Fault

CONTEXT_TOKENS = 1_048_576
CACHE_BLOCK = 16
"""Tokens: a prompt that is cached without being told to is cached in whole blocks of these."""

Role = Literal["system", "user", "assistant", "tool"]
Choice = Literal["none", "auto", "required"]
Finish = Literal["stop", "length", "tool_calls", "refusal"]


class Turn(Struct, frozen=True):
    """One piece of the conversation: who said it, and its text."""

    role: Role
    text: str


class Prompt(Struct, frozen=True):
    """Everything the model reads.

    `choice` is `none` (text), `auto` or `required`; `allowed` narrows what may be called to those names, empty for all.
    Unless `parallel`, one call is made at most. `json` asks for a JSON text, of the shape `schema` if there is one; a
    `bare` one that is a string goes without quotes.
    `max_tokens` counts output tokens, None for no limit. `thinks` is how hard to think first, from 0 (not) to 3.
    `marked` is how many leading parts the caller wants cached, of which all tools are one and each turn is one; None
    where the provider decides. `refuses` asks for a refusal.
    """

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    choice: Choice = "auto"
    allowed: tuple[str, ...] = ()
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    json: bool = False
    bare: bool = False
    schema: Any = None
    parallel: bool = True
    thinks: int = 0
    marked: int | None = None
    refuses: bool = False


class Count(Struct, frozen=True):
    """A prompt's tokens: all of them, and of these the ones read from and written to the cache."""

    total: int
    cached: int = 0
    written: int = 0


class Call(Struct, frozen=True):
    """A call of a tool: `pieces` joined are the JSON text of `arguments`, or the text that a free tool takes."""

    name: str
    arguments: dict[str, Any]
    pieces: tuple[str, ...]
    free: bool = False

    @property
    def text(self) -> str:
        """Returns the arguments as text."""
        return "".join(self.pieces)


class Reply(Struct, frozen=True):
    """What the model emits: tokens of thought, then tokens of text or calls; and exact token counts."""

    pieces: tuple[str, ...]
    calls: tuple[Call, ...]
    finish: Finish
    stop_sequence: str | None
    input: Count
    spoken_tokens: int
    thoughts: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Returns the whole text."""
        return "".join(self.pieces)

    @property
    def thought(self) -> str:
        """Returns all that was thought."""
        return "".join(self.thoughts)

    @property
    def output_tokens(self) -> int:
        """Returns the tokens that were emitted, thoughts included."""
        return self.spoken_tokens + len(self.thoughts)


def read(prompt: Prompt) -> Count:
    """Returns the prompt's tokens: turns, tools and schema. Raises `Fault` where they exceed the context."""
    ahead: list[str] = []
    for tool in prompt.tools:
        ahead += (tool.name, tool.description, as_json(tool.schema))
    behind = [] if prompt.schema is None else [as_json(prompt.schema)]
    said = [turn.text for turn in prompt.turns]
    # What cannot fit by its length alone is refused before it is counted.
    if sum(map(len, (*ahead, *said, *behind))) <= CONTEXT_TOKENS * tokens.LONGEST_TOKEN:
        counts = [sum(map(tokens.count, ahead)), *map(tokens.count, said), *map(tokens.count, behind)]
        if sum(counts) <= CONTEXT_TOKENS:
            return _cached(prompt, counts)
    message = f"The prompt is longer than the demo model's context of {CONTEXT_TOKENS} tokens."
    raise Fault(400, message, "context_length_exceeded")


def answer(prompt: Prompt) -> Reply:
    """Returns the reply to `prompt`. Raises `Fault` where the prompt exceeds the context."""
    return answers(prompt, 1)[0]


def answers(prompt: Prompt, number: int) -> list[Reply]:
    """Returns several replies to one prompt, which is read once. Raises `Fault` where it exceeds the context."""
    count = read(prompt)
    thoughts = tokens.split(replies.thought(last_user_text(prompt), prompt.thinks)) if prompt.thinks else ()
    left = prompt.max_tokens
    if left is not None and thoughts:
        if len(thoughts) >= left:
            return [Reply((), (), "length", None, count, 0, thoughts[:left])] * number
        left -= len(thoughts)
    first = _spoken(prompt, 0, count, left, thoughts)
    if prompt.json or first.calls or prompt.refuses:
        # There is one way to say it.
        return [first] * number
    return [first, *(_spoken(prompt, take, count, left, thoughts) for take in range(1, number))]


def as_json(value: Any) -> str:
    """Returns `value` as JSON text."""
    return msgspec.json.encode(value).decode()


def last_user_text(prompt: Prompt) -> str:
    """Returns what the user said last."""
    return next((turn.text for turn in reversed(prompt.turns) if turn.role == "user"), "")


def _cached(prompt: Prompt, counts: list[int]) -> Count:
    """Returns the count of a prompt whose tools, turns and schema have `counts`.

    The model remembers nothing. What stands before its own last answer is what the call before this one sent, and so
    is what a vendor would have in its cache by now.
    """
    seen = next((place for place in reversed(range(len(prompt.turns))) if prompt.turns[place].role == "assistant"), 0)
    while seen and prompt.turns[seen - 1].role == "assistant":
        seen -= 1
    # The tools stand first.
    before = sum(counts[: seen + 1]) if seen else 0
    if prompt.marked is None:
        return Count(sum(counts), before - before % CACHE_BLOCK)
    marked = sum(counts[: prompt.marked])
    return Count(sum(counts), min(before, marked), max(0, marked - before))


def _spoken(prompt: Prompt, take: int, count: Count, left: int | None, thoughts: tuple[str, ...]) -> Reply:
    if prompt.refuses:
        pieces = tokens.split(replies.REFUSAL)[:left]
        return Reply(pieces, (), "refusal", None, count, len(pieces), thoughts)
    results = _trailing_results(prompt)
    asked = () if results or not prompt.tools or prompt.choice == "none" else _calls(prompt)
    if asked:
        return _calling(asked, count, left, thoughts)
    text = replies.say(last_user_text(prompt), results, take)
    if prompt.json:
        value = {"model": "demo", "reply": text} if prompt.schema is None else samples.sample(prompt.schema)
        text = value if prompt.bare and isinstance(value, str) else as_json(value)
    text, stopped_by = _stop(text, prompt.stop)
    pieces = tokens.split(text)
    if left is not None and len(pieces) > left:
        return Reply(pieces[:left], (), "length", None, count, left, thoughts)
    return Reply(pieces, (), "stop", stopped_by, count, len(pieces), thoughts)


def _calls(prompt: Prompt) -> tuple[Call, ...]:
    tools = [tool for tool in prompt.tools if not prompt.allowed or tool.name in prompt.allowed]
    made = calling.calls(tools, last_user_text(prompt), required=prompt.choice == "required")
    return tuple(
        Call(tool.name, arguments, tokens.split(text if tool.free else as_json(arguments)), tool.free)
        for tool, arguments, text in (made if prompt.parallel else made[:1])
    )


def _calling(calls: tuple[Call, ...], count: Count, left: int | None, thoughts: tuple[str, ...]) -> Reply:
    """Returns the reply that makes the calls which fit. Half a call is none: one that does not fit is not begun."""
    made: list[Call] = []
    cost = 0
    for call in calls:
        more = tokens.count(call.name) + len(call.pieces)
        if left is not None and cost + more > left:
            return Reply((), tuple(made), "length", None, count, cost, thoughts)
        made.append(call)
        cost += more
    return Reply((), tuple(made), "tool_calls", None, count, cost, thoughts)


def _trailing_results(prompt: Prompt) -> list[str]:
    results: list[str] = []
    for turn in reversed(prompt.turns):
        if turn.role == "tool":
            results.append(turn.text)
        elif turn.role != "system":
            break
    return results[::-1]


def _stop(text: str, stops: tuple[str, ...]) -> tuple[str, str | None]:
    found = [(at, stop) for stop in stops if (at := text.find(stop)) >= 0]
    if not found:
        return text, None
    at, stop = min(found)
    return text[:at], stop
