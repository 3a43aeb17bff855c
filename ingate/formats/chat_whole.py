"""The events of one answer put together to a message of `ingate.chat.v1`."""

from gen.ingate.chat.v1 import answer_pb2 as answers
from gen.ingate.chat.v1.chat_service_pb2 import CompleteResponse
from gen.ingate.chat.v1.chat_service_pb2 import StreamCompleteResponse as Event
from gen.ingate.chat.v1.message_pb2 import ROLE_ASSISTANT, Message, Part, ToolCall
from ingate.errors import TooLarge
from ingate.formats.chat_answer import LONGEST

_BESIDE = 4096
"""Bytes that are left for what stands beside the message: clients take 4 MiB and no more."""


class WholeAnswer:
    """Gathers the events of an answer, of `LONGEST` bytes at most."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: list[answers.ToolCallDelta] = []  # the first piece of each
        self._arguments: list[list[str]] = []
        self._room = LONGEST - _BESIDE
        self._started = answers.Started()
        self._finished = answers.Finished()

    def add(self, event: Event) -> None:
        """Takes the next event. Raises TooLarge."""
        self._room -= event.ByteSize()
        if self._room < 0:
            raise TooLarge(f"the answer has more than {LONGEST} bytes: StreamComplete takes one of any length")
        match event.WhichOneof("event"):
            case "started":
                self._started = event.started
            case "text_delta":
                self._text.append(event.text_delta)
            case "refusal_delta":
                self._refusal.append(event.refusal_delta)
            case "tool_call_delta":
                self._add_call(event.tool_call_delta)
            case "finished":
                self._finished = event.finished

    def _add_call(self, delta: answers.ToolCallDelta) -> None:
        if delta.index == len(self._calls):
            self._calls.append(delta)
            self._arguments.append([])
        call = self._calls[delta.index]
        # Each stands in one piece alone.
        call.id, call.name = call.id or delta.id, call.name or delta.name
        self._arguments[delta.index].append(delta.arguments)

    def response(self) -> CompleteResponse:
        """Returns the whole answer, once it is finished."""
        message = Message(role=ROLE_ASSISTANT)
        if self._text:
            message.parts.append(Part(text="".join(self._text)))
        if self._refusal:
            message.parts.append(Part(refusal="".join(self._refusal)))
        for call, arguments in zip(self._calls, self._arguments, strict=True):
            made = ToolCall(id=call.id, name=call.name, arguments="".join(arguments))
            message.parts.append(Part(tool_call=made))
        finished = self._finished
        return CompleteResponse(
            message=message,
            finish_reason=finished.finish_reason,
            provider_finish_reason=finished.provider_finish_reason,
            usage=finished.usage if finished.HasField("usage") else None,
            model=finished.model,
            request_id=self._started.request_id,
            provider=self._started.provider,
        )
