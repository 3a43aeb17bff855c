"""A tiny picture and a short sound, the same for the same request. Knows PNG, WAV and MP3; no wire format."""

import math
import struct
import zlib
from array import array

SIDE = 16
"""Pixels of a picture's side."""
RATE = 24_000
"""Samples a second, of 16 bits, one channel."""
SECONDS = 0.25
PICTURE_TOKENS = 64
SOUND_TOKENS = 8
_LOUDNESS = 8000
# MPEG 1, layer 3, 32 kbit/s, 44.1 kHz, one channel: 104 bytes and 26 ms a frame. A frame of zeros is silence.
_MP3_FRAME = b"\xff\xfb\x10\xc4" + bytes(100)
_MP3_FRAMES = 10


def picture(digest: str) -> bytes:
    """Returns a PNG: a pattern of two colours, symmetric, drawn from the hex digits of a digest."""
    seed = bytes.fromhex(digest)
    colours = (seed[:3], bytes(255 - value for value in seed[:3]))
    half = SIDE // 2
    rows = []
    for y in range(SIDE):
        bits = seed[(y // 2) % len(seed)]
        left = [colours[bits >> x & 1] for x in range(half)]
        rows.append(b"\0" + b"".join(left + left[::-1]))
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def pcm(digest: str) -> bytes:
    """Returns a tone as samples of 16 bits, little-endian; its pitch is drawn from the digest, 220 to 475 Hz."""
    pitch = 220 + int(digest[:2], 16)
    step = 2 * math.pi * pitch / RATE
    samples = array("h", (round(_LOUDNESS * math.sin(step * place)) for place in range(round(RATE * SECONDS))))
    return struct.pack(f"<{len(samples)}h", *samples)


def wav(digest: str) -> bytes:
    """Returns the tone as a WAV file."""
    samples = pcm(digest)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16)
    body = b"WAVE" + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


def mp3() -> bytes:
    """Returns a quarter of a second of silence as MP3."""
    return _MP3_FRAME * _MP3_FRAMES


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    name, body = chunk
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
