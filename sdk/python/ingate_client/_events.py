"""`text/event-stream` to events, by HTML's rules. Pure."""

import re
from dataclasses import dataclass

# A carriage return at the end may be the first half of a line end.
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `name` is empty for a message; `id` is where to go on behind it, empty where nobody said."""

    data: str
    name: str = ""
    id: str = ""


class Parser:
    """Takes a stream piece by piece. `last_id` is the id that was last told."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self._rest = b""
        self._id = last_id
        self._name = ""
        self._data: list[str] = []

    def feed(self, piece: bytes) -> list[Event]:
        """Returns the events that are whole with these bytes. One without data only moves `last_id`."""
        *lines, self._rest = _LINE_END.split(self._rest + piece)
        return [event for line in lines if (event := self._line(line.decode(errors="replace"))) is not None]

    def _line(self, line: str) -> Event | None:
        if not line:
            # Not before: who comes back is to get an event again that was cut off.
            self.last_id = self._id
            event = Event("\n".join(self._data), self._name, self.last_id) if self._data else None
            self._name, self._data = "", []
            return event
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        elif field == "id" and "\0" not in value:
            self._id = value
        return None
