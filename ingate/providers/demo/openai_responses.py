"""OpenAI Responses, answered. Knows that format, the demo model and the responses that are kept; no HTTP."""

import msgspec

from ingate.providers.demo.answers import JSON, Answer, Stamp, event_stream, whole
from ingate.providers.demo.fields import Fault, JsonObject, as_flag, as_name, maybe
from ingate.providers.demo.kept_responses import Shelf
from ingate.providers.demo.model import Reply, Turn, answer, read
from ingate.providers.demo.openai_responses_events import events
from ingate.providers.demo.openai_responses_request import prompt_of, told_of
from ingate.providers.demo.openai_responses_shape import response


def responses(body: JsonObject, model: str, stamp: Stamp, *, shelf: Shelf) -> Answer:
    """Answers POST /v1/responses, whole or streamed, and keeps the response unless `store` is false. Raises `Fault`."""
    before = _before(body, shelf)
    prompt = prompt_of(body, model, before)
    streamed = maybe(as_flag, body, "stream")
    told, reply = told_of(body), answer(prompt)
    shape = response(body, model, stamp, told)
    ended = shape.ended(reply)
    encoded = msgspec.json.encode(ended)
    if maybe(as_flag, body, "store") is not False:
        # Instructions are stated anew with every request.
        said = prompt.turns if body.get("instructions") is None else prompt.turns[1:]
        shelf.keep(ended["id"], ended, said + _turns(reply), len(encoded))
    return event_stream(events(reply, shape)) if streamed else Answer(200, JSON, (encoded,))


def input_tokens(body: JsonObject, model: str, _: Stamp, *, shelf: Shelf) -> Answer:
    """Answers POST /v1/responses/input_tokens. Raises `Fault`."""
    count = read(prompt_of(body, model, _before(body, shelf)))
    return whole({"object": "response.input_tokens", "input_tokens": count.total})


def retrieve(name: str, shelf: Shelf) -> Answer:
    """Answers GET /v1/responses/{id}. Raises `Fault`."""
    kept = shelf.find(name)
    if kept is None:
        raise _unknown(name)
    return whole(kept.response)


def delete(name: str, shelf: Shelf) -> Answer:
    """Answers DELETE /v1/responses/{id}. Raises `Fault`."""
    if not shelf.drop(name):
        raise _unknown(name)
    return whole({"id": name, "object": "response.deleted", "deleted": True})


def _before(body: JsonObject, shelf: Shelf) -> tuple[Turn, ...]:
    """Returns the conversation that the request continues."""
    name = maybe(as_name, body, "previous_response_id")
    if name is None:
        return ()
    kept = shelf.find(name)
    if kept is None:
        message = f"Previous response with id '{name[:100]}' not found."
        raise Fault(400, message, "previous_response_not_found", "previous_response_id")
    return kept.turns


def _unknown(name: str) -> Fault:
    return Fault(404, f"Response with id '{name[:100]}' not found.", "response_not_found", "response_id")


def _turns(reply: Reply) -> tuple[Turn, ...]:
    calls = (Turn("assistant", text) for call in reply.calls for text in (call.name, call.text))
    return (*([Turn("assistant", reply.text)] if reply.pieces else []), *calls)
