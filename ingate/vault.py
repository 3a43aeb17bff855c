"""Secrets at rest: AES-256-GCM under the master key. Knows no table; the context binds a secret to its place."""

import base64
import binascii
import fcntl
import os
from pathlib import Path

from ingate.errors import BadRequest

MASTER_KEY_FILE = "master.key"
KEY_BYTES = 32
NONCE_BYTES = 12
VERSION = b"\x01"


class Vault:
    """Seals and opens secrets.

    A sealed secret is a version byte, a nonce and the ciphertext. `context` (such as `org|provider`) is
    authenticated with it, so a sealed secret copied to another row does not open there.
    """

    def __init__(self, master_key: bytes) -> None:
        # OpenSSL takes a noticeable part of a cold start; nothing needs it before the first secret.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 -- see above

        self._cipher = AESGCM(master_key)

    def seal(self, secret: str, context: str) -> bytes:
        """Returns the sealed form of a secret."""
        nonce = os.urandom(NONCE_BYTES)
        return VERSION + nonce + self._cipher.encrypt(nonce, secret.encode(), context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """Returns the secret. Raises BadRequest when the master key or the context is not the one that sealed it."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 -- see __init__

        nonce, text = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, text, context.encode()).decode()
        except (InvalidTag, ValueError):
            raise BadRequest(
                "a stored secret cannot be opened: the master key is not the one it was stored with"
            ) from None


def decode_master_key(text: str) -> bytes:
    """Returns the 32 bytes of a base64 master key, or raises BadRequest."""
    try:
        key = base64.b64decode(text, altchars=b"-_" if set(text) & {"-", "_"} else None, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise BadRequest.field("master_key", f"must be {KEY_BYTES} bytes in base64")
    return key


def find_master_key(setting: str, data_dir: Path) -> bytes | None:
    """Returns the master key of the setting, else of the file in the data directory; None where that is not there.

    Raises BadRequest naming the one that holds no key, OSError where the file cannot be read.
    """
    if setting:
        return decode_master_key(setting)
    path = data_dir / MASTER_KEY_FILE
    text = path.read_text(errors="replace").strip() if path.exists() else ""
    return _of_file(text, path) if text else None


def make_master_key(data_dir: Path) -> tuple[bytes, bool]:
    """Returns the master key of the file in the data directory, made now unless another process has just done so.

    The second value tells whether it was made now.
    """
    path = data_dir / MASTER_KEY_FILE
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+") as file:
        # Two processes may start at once, and one must not read what the other has yet to write.
        fcntl.flock(file, fcntl.LOCK_EX)
        if text := file.read().strip():
            return _of_file(text, path), False
        key = os.urandom(KEY_BYTES)
        file.write(base64.b64encode(key).decode() + "\n")
        file.flush()
        os.fsync(descriptor)
    return key, True


def _of_file(text: str, path: Path) -> bytes:
    try:
        return decode_master_key(text)
    except BadRequest as error:
        problem = error.fields["master_key"]
        raise BadRequest(f"the master key in {path} {problem}", fields={"master_key": problem}) from None
