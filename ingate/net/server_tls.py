"""The certificate with which a port speaks TLS, read from files and checked before anybody calls."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from ingate.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate chain and its private key, in PEM, and a context for servers that has loaded both."""

    chain: bytes
    key: bytes
    context: ssl.SSLContext


class _Protected(Exception):
    """The private key asks for a password, which there is nobody to give."""


def identity(chain: str, key: str, *, prefix: str = "") -> Identity | None:
    """Returns what the files hold; None where no file is named.

    Raises BadRequest naming the setting (`tls_cert` or `tls_key`, behind the prefix) and the file that will not do.
    """
    if not chain and not key:
        return None
    cert_setting, key_setting = f"{prefix}tls_cert", f"{prefix}tls_key"
    chain_bytes = _read(cert_setting, chain, b"-----BEGIN CERTIFICATE-----", "certificate")
    key_bytes = _read(key_setting, key, b"PRIVATE KEY-----", "private key")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(chain, key, password=_no_password)
    except _Protected:
        raise _wrong(key_setting, key, "is protected by a password: state one without") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise _wrong(key_setting, key, f"is not the key of the certificate in {chain}") from None
        raise _wrong(cert_setting, chain, f"or its key cannot be used: {error.reason or error}") from None
    context.set_alpn_protocols(["http/1.1"])
    return Identity(chain_bytes, key_bytes, context)


def _read(setting: str, path: str, mark: bytes, noun: str) -> bytes:
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise _wrong(setting, path, f"cannot be read: {error.strerror}") from None
    if mark not in text:
        raise _wrong(setting, path, f"holds no {noun} in PEM")
    return text


def _no_password() -> bytes:
    raise _Protected


def _wrong(setting: str, path: str, problem: str) -> BadRequest:
    return BadRequest.field(setting, f"{path} {problem}")
