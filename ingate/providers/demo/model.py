"""The deterministic demo model: a prompt in, a reply out. Knows no wire format, no clock and no chance.

It greets when greeted, calls a tool when told to or when the last user message
names one, quotes tool results, and otherwise says what it was asked. After a
tool result it always answers in text, so an agent's loop ends.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from ingate.providers.demo import samples, tokens
from ingate.providers.demo.fields import Fault

CONTEXT_TOKENS = 1_048_576
SEARCHED = 65_536
"""Characters of the last user message in which names of tools are looked for."""

Role = Literal["system", "user", "assistant", "tool"]
Choice = Literal["none", "auto", "required"]
Finish = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One piece of the conversation: who said it, and its text."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call: `schema` is the JSON Schema of its arguments."""

    name: str
    description: str
    schema: Any


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything the model reads.

    `choice` is `none` (text), `auto` or `required`; `allowed` narrows what may be called
    to those names, empty for all. `json` asks for a JSON text, of the shape `schema` if
    there is one. `max_tokens` counts output tokens, None for no limit.
    """

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    choice: Choice = "auto"
    allowed: tuple[str, ...] = ()
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    json: bool = False
    schema: Any = None


@dataclass(frozen=True, slots=True)
class Call:
    """A function call: `pieces` joined are the JSON text of `arguments`."""

    name: str
    arguments: dict[str, Any]
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model emits: tokens of text, or one call; and exact token counts."""

    pieces: tuple[str, ...]
    call: Call | None
    finish: Finish
    stop_sequence: str | None
    input_tokens: int
    output_tokens: int

    @property
    def text(self) -> str:
        """Returns the whole text."""
        return "".join(self.pieces)


def read(prompt: Prompt) -> int:
    """Returns the prompt's tokens: turns, tools and schema. Raises `Fault` where they exceed the context."""
    texts = [turn.text for turn in prompt.turns]
    for tool in prompt.tools:
        texts += (tool.name, tool.description, as_json(tool.schema))
    if prompt.schema is not None:
        texts.append(as_json(prompt.schema))
    # What cannot fit by its length alone is refused before it is counted.
    if sum(map(len, texts)) <= CONTEXT_TOKENS * tokens.LONGEST_TOKEN:
        total = sum(map(tokens.count, texts))
        if total <= CONTEXT_TOKENS:
            return total
    message = f"The prompt is longer than the demo model's context of {CONTEXT_TOKENS} tokens."
    raise Fault(400, message, "context_length_exceeded")


def answer(prompt: Prompt) -> Reply:
    """Returns the reply to `prompt`. Raises `Fault` where the prompt exceeds the context."""
    input_tokens = read(prompt)
    results = _trailing_results(prompt)
    tool = None if results else _tool_to_call(prompt)
    if tool is not None:
        return _call(tool, prompt, input_tokens)
    text = _say(prompt, results)
    if prompt.json:
        text = as_json({"model": "demo", "reply": text} if prompt.schema is None else samples.sample(prompt.schema))
    text, stopped_by = _stop(text, prompt.stop)
    pieces = tokens.split(text)
    if prompt.max_tokens is not None and len(pieces) > prompt.max_tokens:
        pieces = pieces[: prompt.max_tokens]
        return Reply(pieces, None, "length", None, input_tokens, len(pieces))
    return Reply(pieces, None, "stop", stopped_by, input_tokens, len(pieces))


def as_json(value: Any) -> str:
    """Returns `value` as JSON text."""
    return msgspec.json.encode(value).decode()


def excerpt(text: str, longest: int) -> str:
    """Returns `text` on one line and at most `longest` characters, with an ellipsis where it was cut."""
    line = " ".join(text[: longest * 4].split())
    return line if len(line) <= longest and len(text) <= longest * 4 else line[: longest - 1] + "…"


def _call(tool: Tool, prompt: Prompt, input_tokens: int) -> Reply:
    arguments = samples.arguments(tool.schema)
    call = Call(tool.name, arguments, tokens.split(as_json(arguments)))
    cost = tokens.count(tool.name) + len(call.pieces)
    if prompt.max_tokens is not None and cost > prompt.max_tokens:
        # Half a call is no valid call in most formats: one that does not fit is not begun.
        return Reply((), None, "length", None, input_tokens, 0)
    return Reply((), call, "tool_calls", None, input_tokens, cost)


def _last_user_text(prompt: Prompt) -> str:
    return next((turn.text for turn in reversed(prompt.turns) if turn.role == "user"), "")


def _trailing_results(prompt: Prompt) -> list[str]:
    results: list[str] = []
    for turn in reversed(prompt.turns):
        if turn.role == "tool":
            results.append(turn.text)
        elif turn.role != "system":
            break
    return results[::-1]


def _tool_to_call(prompt: Prompt) -> Tool | None:
    tools = [tool for tool in prompt.tools if not prompt.allowed or tool.name in prompt.allowed]
    if not tools or prompt.choice == "none":
        return None
    asked = _last_user_text(prompt)[:SEARCHED].casefold()
    named = (tool for tool in tools if _names(asked, tool.name.casefold()))
    return next(named, tools[0] if prompt.choice == "required" else None)


def _names(text: str, name: str) -> bool:
    return name in text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


_GREETING = re.compile(r"\b(hello|hi|hey|greetings|good (morning|afternoon|evening))\b", re.IGNORECASE)
_LONGEST_GREETING = 60


def _say(prompt: Prompt, results: list[str]) -> str:
    if results:
        quoted = "; ".join(f'"{excerpt(result, 120)}"' for result in results[:4])
        return f"The tool returned {quoted}. As Ingate's demo model I pass that on as it is."
    asked = _last_user_text(prompt).strip()
    if not asked:
        return "I am Ingate's demo model. There was no text for me to answer."
    if len(asked) <= _LONGEST_GREETING and _GREETING.search(asked):
        return "Hello! I am Ingate's demo model. How can I help you today?"
    said = f'You asked: "{excerpt(asked, 160)}".'
    return f"I am Ingate's demo model. {said} Send the same request to a real provider for a real answer."


def _stop(text: str, stops: tuple[str, ...]) -> tuple[str, str | None]:
    found = [(at, stop) for stop in stops if (at := text.find(stop)) >= 0]
    if not found:
        return text, None
    at, stop = min(found)
    return text[:at], stop
