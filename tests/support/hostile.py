"""Requests that nobody should send, by what is wrong with them; each is one that a provider could read otherwise.

Knows no gateway and no answer.
"""

CHAT = b"POST /v1/chat/completions HTTP/1.1"
BODY = b'{"model":"demo","messages":[{"role":"user","content":"Hello"}]}'
CHUNKED = b"Transfer-Encoding: chunked"

NOT_HTTP = {
    "a NUL in the target": (b"POST /v1/ch\0at HTTP/1.1",),
    "bytes above ASCII in the target": (b"POST /v1/\xff HTTP/1.1",),
    "a lower-case method": (b"post /v1/chat/completions HTTP/1.1",),
    "content-length and transfer-encoding": (CHAT, CHUNKED),
    "two lengths": (CHAT, b"Content-Length: 3"),
    "the same length twice": (CHAT, b"Content-Length: %d" % len(BODY)),
    "a folded header": (CHAT, b"X-A: a\r\n b"),
    "a name with a blank": (CHAT, b"Bad Name: a"),
    "a NUL in a header": (CHAT, b"X-A: a\0b"),
    "a bare CR in a header": (CHAT, b"X-A: a\rb"),
    "two hosts": (CHAT, b"Host: y"),
}
NOT_FRAMED = {
    "another transfer coding": (b"Transfer-Encoding: xchunked", b"0\r\n\r\n"),
    "a blank before the colon": (b"Transfer-Encoding : chunked", b"0\r\n\r\n"),
    "a negative length": (b"Content-Length: -1", b""),
    "a signed length": (b"Content-Length: +5", b"hello"),
    "a chunk size that is none": (CHUNKED, b"zz\r\nhello\r\n0\r\n\r\n"),
    "a chunk size without end": (CHUNKED, b"f" * 40 + b"\r\nhello"),
    "a chunk longer than it said": (CHUNKED, b"1\r\nhello\r\n0\r\n\r\n"),
    "line feeds alone": (CHUNKED, b"%x\n%b\n0\n\n" % (len(BODY), BODY)),
}
TARGETS = {
    "dots": b"/v1/../v1/chat/completions",
    "escaped dots": b"/v1/%2e%2e/chat/completions",
    "an empty segment": b"//v1/chat/completions",
    "an escaped NUL": b"/v1/chat%00",
    "no UTF-8": b"/v1/%ff",
    "no path": b"*",
}
BODIES = {
    "no JSON": b"{nope",
    "no object": b"[]",
    "no UTF-8": b'{"model":"\xff"}',
    "nothing": b"",
    "deep nesting": b'{"model":"demo","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
}
