"""Generated responses, valid and not: what a server, a proxy or an attacker may send. Same seed, same responses."""

LINE = "\r\n"
STATUS = (
    *["HTTP/1.1 200 OK"] * 12,
    "HTTP/1.1 404 Not Found",
    "HTTP/1.0 200 OK",
    "HTTP/1.1 204 No Content",
    "HTTP/1.1 304 Not Modified",
    "HTTP/1.1 100 Continue",
    "HTTP/1.1 103 Early Hints",
    "HTTP/1.1 101 Switching",
    "HTTP/1.1 200",
    "HTTP/1.1 200 ",
    "HTTP/1.1  200 OK",
    "HTTP/1.1 2000 OK",
    "HTTP/1.1 20 OK",
    "HTTP/2.0 200 OK",
    "HTTP/0.9 200 OK",
    "HTTP/1.2 200 OK",
    "http/1.1 200 OK",
    "RTSP/1.1 200 OK",
    "HTTP/1.1 200 O\0K",
    "HTTP/1.1 200 \xe9",
    "HTTP/1.1\t200 OK",
    " HTTP/1.1 200 OK",
    "HTTP/1.1 600 x",
    "HTTP/1.1 205 Reset",
)
STARTS = (*[""] * 30, "\r\n", "\n", "HTTP/1.1 100 x\r\n\r\n", "HTTP/1.1 103 x\r\na: b\r\n\r\n")
LENGTHS = (
    "{}",
    "{} ",
    "\t{}",
    "0{}",
    "+{}",
    "-{}",
    "{},{}",
    "{}, {}",
    "{} {}",
    "0x{:x}",
    "",
    "{}.0",
    "1{:020}",
    "\x0b{}",
)
CODINGS = (
    *["chunked"] * 8,
    "Chunked",
    "chunked ",
    "\tchunked",
    "\x0bchunked",
    "gzip, chunked",
    "chunked, gzip",
    "chunked, chunked",
    "chunked,",
    "xchunked",
    "identity",
    "",
    "chunked;a=b",
    '"chunked"',
    "chunked\x00",
)
OTHERS = (
    "x: y",
    "x:",
    "x:y",
    "X-Long: " + "z" * 100,
    "set-cookie: a=b; c",
    "x : y",
    " x: y",
    "\tx: y",
    "x y: z",
    "x",
    ": y",
    "x: \x00",
    "x: \x7f",
    "x: \xe9",
    "\xe9: x",
    "x: a\rb",
    "x: a\nb: c",
    "x: y\r\n z",
    "x:\r\n y",
    "connection: close",
    "connection: keep-alive",
    "connection: Keep-Alive, x",
    "connection: upgrade",
    "upgrade: h2c",
    "trailer: x",
    "content-length : 3",
    "transfer-encoding : chunked",
    "content_length: 3",
    "content-length\t: 3",
    "x: y\r",
    "content-encoding: identity",
)
ENDS = (*["\r\n"] * 40, "\n", "\r", "\r\r\n", "\n\r", "")
SIZES = (
    *["{:x}"] * 20,
    "{:X}",
    "0{:x}",
    "000000000000000000{:x}",
    "{:x} ",
    " {:x}",
    "0x{:x}",
    "+{:x}",
    "-{:x}",
    "{:x}\t",
    "",
)
EXTENSIONS = (
    *[""] * 20,
    ";a",
    ";a=b",
    ';a="b"',
    ';a="b\r\n"',
    ";",
    ";a=",
    " ;a=b",
    "; a=b",
    ";a\n",
    ";\0",
    ";\xe9",
    ";a=b;c",
    ";a==b",
)
TRAILERS = (
    *[""] * 12,
    "x: y\r\n",
    "x: y\n",
    "x: y\r\n z\r\n",
    "content-length: 3\r\n",
    "transfer-encoding: chunked\r\n",
    "connection: close\r\n",
    "x\r\n",
    ": y\r\n",
    " x: y\r\n",
    "HTTP/1.1 200 OK\r\n",
)
BODIES = (
    "",
    "a",
    "abc",
    "\r\n",
    "\r\n\r\n",
    "0\r\n\r\n",
    "a\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "x" * 40,
)
REST = (*[""] * 12, "\r\n", "\n", "\r", "\0", "x", "\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc")


def response(rng):
    """Returns one response, mostly nearly valid, and whatever follows it."""
    body = rng.choice(BODIES)
    odd = rng.random() < 0.5
    headers = [rng.choice(OTHERS if odd else OTHERS[:5]) for _ in range(rng.randrange(3))]
    framing = rng.random()
    chunks = framing < 0.45
    if chunks:
        headers.append("transfer-encoding: " + (rng.choice(CODINGS) if odd else "chunked"))
    if framing > 0.4 and framing < 0.95:
        length = len(body) if rng.random() < 0.9 else rng.choice((0, 1, 3, len(body) + 1))
        headers.append("content-length: " + (rng.choice(LENGTHS) if odd else "{}").format(length, length))
    if odd and rng.random() < 0.1:
        headers.append(rng.choice(headers or OTHERS))
    rng.shuffle(headers)
    end = (lambda: rng.choice(ENDS)) if odd and rng.random() < 0.4 else lambda: LINE
    start = (
        rng.choice(("",) * 30 + ("\r\n", "\n", "HTTP/1.1 100 x\r\n\r\n", "HTTP/1.1 103 x\r\na: b\r\n\r\n"))
        if odd
        else ""
    )
    head = start + (rng.choice(STATUS) if odd else STATUS[0]) + end() + "".join(header + end() for header in headers)
    text = head + end() + (_chunked(rng, body, odd=odd, end=end) if chunks else body) + rng.choice(REST)
    data = bytearray(text.encode("latin-1"))
    if rng.random() < 0.1:
        data[rng.randrange(len(data))] = rng.choice(b"\r\n \t:;0x\0")
    return bytes(data)


def _chunked(rng, body, *, odd, end):
    pieces = [body[at : at + 7] for at in range(0, len(body), 7)]
    size = (
        (lambda n: rng.choice(SIZES).format(n) + rng.choice(EXTENSIONS))
        if odd and rng.random() < 0.5
        else "{:x}".format
    )
    text = "".join(size(len(piece)) + end() + piece + end() for piece in pieces)
    return text + size(0) + end() + (rng.choice(TRAILERS) if odd else "") + end()
