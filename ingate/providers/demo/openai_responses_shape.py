"""The response object of OpenAI Responses and its output items. Knows that shape and a reply; no events."""

import base64
from dataclasses import dataclass

from ingate.providers.demo import likelihoods
from ingate.providers.demo.answers import Stamp
from ingate.providers.demo.fields import JsonObject
from ingate.providers.demo.model import Call, Reply
from ingate.providers.demo.openai_responses_request import Told


@dataclass(frozen=True, slots=True)
class Shape:
    """A response object without its outcome, and what the caller wants to know beside the text."""

    base: JsonObject
    stamp: Stamp
    told: Told

    def begun(self) -> JsonObject:
        """Returns the response object before anything was emitted."""
        return self.base | {"status": "in_progress", "output": [], "usage": None}

    def ended(self, reply: Reply) -> JsonObject:
        """Returns the response object with its output and usage."""
        cut = reply.finish == "length"
        outcome = {
            "status": "incomplete" if cut else "completed",
            "completed_at": None if cut else self.stamp.created,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": self.items(reply),
            "usage": {
                "input_tokens": reply.input.total,
                "input_tokens_details": {"cached_tokens": reply.input.cached, "cache_write_tokens": 0},
                "output_tokens": reply.output_tokens,
                "output_tokens_details": {"reasoning_tokens": len(reply.thoughts)},
                "total_tokens": reply.input.total + reply.output_tokens,
            },
        }
        return self.base | outcome

    def items(self, reply: Reply) -> list[JsonObject]:
        """Returns the output: thoughts, then a message or calls; nothing of what would not fit."""
        status = "incomplete" if reply.finish == "length" else "completed"
        thoughts = [self._thoughts(reply)] if reply.thoughts else []
        if reply.calls:
            return thoughts + [self._call(call, place) for place, call in enumerate(reply.calls)]
        if not reply.pieces and reply.finish == "length":
            return thoughts
        parts = [self.part(reply)]
        message = {"id": self.stamp.name("msg_"), "type": "message", "role": "assistant", "content": parts}
        return [*thoughts, message | {"status": status}]

    def part(self, reply: Reply) -> JsonObject:
        """Returns the one content part of the message."""
        if reply.finish == "refusal":
            return {"type": "refusal", "refusal": reply.text}
        number = self.told.alternatives
        likely = [] if number is None else likelihoods.openai(reply.pieces, number)
        return {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": likely}

    def _thoughts(self, reply: Reply) -> JsonObject:
        summary = [{"type": "summary_text", "text": reply.thought}] if self.told.summary else []
        item: JsonObject = {"id": self.stamp.name("rs_"), "type": "reasoning", "summary": summary}
        if self.told.sealed:
            item["encrypted_content"] = base64.b64encode(self.stamp.digest.encode()).decode()
        return item

    def _call(self, call: Call, place: int) -> JsonObject:
        named = {"call_id": self.stamp.name("call_", place), "name": call.name, "status": "completed"}
        if call.free:
            return {"id": self.stamp.name("ctc_", place), "type": "custom_tool_call", "input": call.text} | named
        return {"id": self.stamp.name("fc_", place), "type": "function_call", "arguments": call.text} | named


def response(body: JsonObject, model: str, stamp: Stamp, told: Told) -> Shape:
    """Returns the response object that echoes the request's settings."""
    echoed: JsonObject = {
        "instructions": None,
        "max_output_tokens": None,
        "temperature": 1.0,
        "top_p": 1.0,
        "metadata": {},
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
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
        "service_tier": "default",
    }
    return Shape(base | echoed, stamp, told)
