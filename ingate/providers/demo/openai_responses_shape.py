"""The response object of OpenAI Responses and its output items. Knows that shape and a reply; no events."""

from dataclasses import dataclass

from ingate.providers.demo.answers import Stamp
from ingate.providers.demo.fields import JsonObject
from ingate.providers.demo.model import Reply


@dataclass(frozen=True, slots=True)
class Shape:
    """A response object without its outcome."""

    base: JsonObject
    stamp: Stamp

    def begun(self) -> JsonObject:
        """Returns the response object before anything was emitted."""
        return self.base | {"status": "in_progress", "output": [], "usage": None}

    def ended(self, reply: Reply) -> JsonObject:
        """Returns the response object with its output and usage."""
        cut = reply.finish == "length"
        outcome = {
            "status": "incomplete" if cut else "completed",
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": [] if is_empty(reply) else [item(reply, self.stamp, done=True)],
            "usage": {
                "input_tokens": reply.input_tokens,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": reply.output_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": reply.input_tokens + reply.output_tokens,
            },
        }
        return self.base | outcome


def response(body: JsonObject, model: str, stamp: Stamp) -> Shape:
    """Returns the response object that echoes the request's settings."""
    echoed: JsonObject = {
        "instructions": None,
        "max_output_tokens": None,
        "temperature": 1.0,
        "top_p": 1.0,
        "metadata": {},
    }
    echoed |= {"tool_choice": "auto", "tools": [], "parallel_tool_calls": True, "truncation": "disabled"}
    echoed |= {"text": {"format": {"type": "text"}}, "user": None, "store": True}
    echoed = {key: default if body.get(key) is None else body[key] for key, default in echoed.items()}
    base = {
        "id": stamp.name("resp_"),
        "object": "response",
        "created_at": stamp.created,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
    }
    return Shape(base | echoed, stamp)


def is_empty(reply: Reply) -> bool:
    """Returns whether nothing was emitted because it would not fit."""
    return reply.call is None and not reply.pieces and reply.finish == "length"


def item(reply: Reply, stamp: Stamp, *, done: bool) -> JsonObject:
    """Returns the reply's one output item, as it begins or as it ends."""
    status = "in_progress" if not done else "incomplete" if reply.finish == "length" else "completed"
    if reply.call is None:
        parts = [part(reply.text)] if done else []
        return {"id": stamp.name("msg_"), "type": "message", "status": status, "role": "assistant", "content": parts}
    return {
        "id": stamp.name("fc_"),
        "type": "function_call",
        "status": status,
        "call_id": stamp.name("call_"),
        "name": reply.call.name,
        "arguments": "".join(reply.call.pieces) if done else "",
    }


def part(text: str) -> JsonObject:
    """Returns a content part of text."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
