"""What the bodies of an exchange say, where that is learned before its record is made. Knows no record's form."""

from ingate.formats import (
    INCOMPLETE,
    MOST,
    Pace,
    Steps,
    completed,
    estimating,
    reading_prompt,
    reading_response,
    unpacking,
    with_hidden,
)
from ingate.proxy.open_exchange import Learned, OpenExchange


def is_left(exchange: OpenExchange, capture: int) -> bool:
    """Tells whether what the bodies say is left to be learned where the record arrives."""
    if exchange.truncated or exchange.response_encoding or not capture or len(exchange.request_body) > capture:
        return False
    return sum(map(len, exchange.response_body)) <= capture


def learning(exchange: OpenExchange, capture: int, most: int = MOST) -> Steps[None]:
    """Learns what the bodies say, in bounded pieces of work, `most` units of it for each body."""
    head, pace = exchange.head, Pace()
    prompt = yield from reading_prompt(head.format, exchange.request_body, pace, most=most)
    reader, encoding = exchange.response_reader, exchange.response_encoding
    answered, hidden = answer_of(exchange), hidden_event(exchange)
    if reader is not None:
        if hidden:
            # What it was read from may have been broken off inside an event.
            reader.gather(b"\n\n" + hidden)
        facts = yield from reader.finishing()
    else:
        read = with_hidden(hidden, answered) if hidden else answered
        facts = yield from reading_response(head.format, exchange.media_type, encoding, read, pace, most=most)
    if exchange.stream:
        facts = yield from estimating(head.format, exchange.request_body, facts, pace)
    if head.format in INCOMPLETE:
        facts = completed(
            head.format,
            facts,
            succeeded=exchange.status < 400,
            asked=exchange.model,
            prompt=prompt,
            headers=lambda: {
                name.decode("latin-1"): value.decode("latin-1") for name, value in exchange.response_headers
            },
        )
    if encoding and capture:
        exchange.unpacked = yield from unpacking(answered, encoding, capture + 1, pace)
    exchange.learned = Learned(prompt, facts)


def answer_of(exchange: OpenExchange) -> bytes:
    """Returns what is kept of the answer, in one piece."""
    pieces = exchange.response_body
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def hidden_event(exchange: OpenExchange) -> bytes:
    """Returns the event that the caller did not get."""
    if exchange.usage_filter is None:
        return b""
    # Where the answer broke off, its last line may be the one.
    exchange.usage_filter.finish()
    return exchange.usage_filter.hidden
