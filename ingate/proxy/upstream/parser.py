"""What a provider sends, as HTTP/1.1: fills one `Response` after another. Knows no connection and no time.

httptools reads; here is what it leaves open: which responses have a body, what ends it, and how large things may be.
"""

from httptools import HttpParserError, HttpResponseParser

from ingate.proxy.ports import BadResponse, Headers
from ingate.proxy.upstream.response import Response

HEAD_LIMIT = 256 * 1024
HEADERS_LIMIT = 1000


class Parser:
    """Parses the responses of one connection.

    `complete`: the response is. `keep_alive`: the connection may serve another exchange after it. `until_eof`: nothing
    but the end of the connection ends its body.
    """

    __slots__ = ("_bodiless", "_headers", "_parser", "_response", "_silent", "complete", "keep_alive", "until_eof")

    _response: Response

    def __init__(self) -> None:
        self._headers: Headers | None = None  # of the head being parsed; None outside one
        self._silent = 0  # bytes that came since the last head or piece of body
        self._bodiless = False
        self.complete = False
        self.keep_alive = False
        self.until_eof = False
        self._renew()

    def _renew(self) -> None:
        self._parser = HttpResponseParser(self)
        # Both framings at once: chunked wins, as RFC 9112 section 6.3 has it.
        self._parser.set_dangerous_leniencies(lenient_chunked_length=True)

    def begin(self, response: Response, *, bodiless: bool) -> None:
        """Expects a response: one without a body, whatever it announces, if `bodiless`."""
        if self._bodiless:
            self._renew()  # the old one still expects a body
        self._response = response
        self._headers = []
        self._silent = 0
        self._bodiless = bodiless
        self.complete = self.until_eof = False

    def feed(self, data: bytes) -> bool:
        """Parses what came; tells whether that ended the head or had some of the body. Raises BadResponse."""
        self._silent += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            if not self.complete:
                cause = error.__context__
                raise (cause if isinstance(cause, BadResponse) else BadResponse(f"not HTTP/1.1: {error}")) from error
            self.keep_alive = False  # a complete response, and then bytes nobody asked for
        if not self._silent:
            return True
        if self._silent > HEAD_LIMIT:
            raise BadResponse("too many bytes that are neither a complete head nor body")
        return False

    # What httptools says

    def on_message_begin(self) -> None:
        """A status line starts."""
        if self.complete:
            raise BadResponse("a second response")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header is complete, or a trailer, which nobody asked for."""
        if self._headers is None:
            return
        name = name.lower()
        if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            raise BadResponse("a transfer coding that was not asked for")
        self._headers.append((name, value.rstrip()))

    def on_headers_complete(self) -> None:
        """The head is complete: an interim one is forgotten."""
        status = self._parser.get_status_code()
        headers = self._headers
        assert headers is not None
        if status < 200 or status > 599:
            if status < 100 or status == 101 or status > 599:
                raise BadResponse(f"status {status}")
            return
        if len(headers) > HEADERS_LIMIT or (
            self._silent > HEAD_LIMIT and sum(len(name) + len(value) for name, value in headers) > HEAD_LIMIT
        ):
            raise BadResponse("the response head is too large")
        self._headers = None
        self._silent = 0
        self._response.headers = headers
        self._response.status = status
        self.keep_alive = keep_alive = self._parser.should_keep_alive()
        # Not kept alive may mean: nothing but the end of the connection ends the body.
        if not keep_alive:
            self.until_eof = all(name not in {b"content-length", b"transfer-encoding"} for name, _ in headers)
        self.complete = self._bodiless

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        response = self._response
        if self.complete or not response.status:
            raise BadResponse("a body where none belongs")
        self._silent = 0
        response.put(body)

    def on_message_complete(self) -> None:
        """The end of an interim response, or of the response."""
        if self._response.status:
            self.complete = True
        else:
            self._headers = []
