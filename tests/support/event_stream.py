"""AWS's event stream as a service writes it, from events written down as text."""

import json
import struct
from base64 import b64encode
from zlib import crc32

MEDIA = "application/vnd.amazon.eventstream"


def header(name, value):
    """Returns a header whose value is text."""
    text = value.encode()
    return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(text)) + text


def framed(headers, payload):
    """Returns a message with these header bytes and this payload."""
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return message + struct.pack(">I", crc32(message))


def message(kind, payload):
    """Returns an event of a type, or an exception where the type begins with an exclamation mark."""
    told = ("exception", ":exception-type") if kind.startswith("!") else ("event", ":event-type")
    headers = header(told[1], kind.removeprefix("!")) + header(":content-type", "application/json")
    return framed(headers + header(":message-type", told[0]), json.dumps(payload).encode())


def chunk(said):
    """Returns an event of an invoked model: what the vendor says, in base64, and padding."""
    return message("chunk", {"bytes": b64encode(json.dumps(said).encode()).decode(), "p": "abcdefgh"})


def encoded(text):
    """Returns a stream: a line is an event's type and its JSON; of type `chunk`, the JSON that its base64 holds."""
    events = (line.split(" ", 1) for line in text.splitlines() if line)
    return b"".join(
        chunk(json.loads(said)) if kind == "chunk" else message(kind, json.loads(said)) for kind, said in events
    )
