"""TLS towards providers: verification on, HTTP/1.1 only. Knows no connection."""

import ssl


def client_context() -> ssl.SSLContext:
    """Returns a context that trusts the system's store (SSL_CERT_FILE and SSL_CERT_DIR replace it) and offers http/1.1.

    Takes tens of milliseconds: make one a process.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def failure_reason(error: ssl.SSLError) -> str:
    """Says why a handshake failed, in words that carry nothing of what was sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS certificate not verified: {error.verify_message}"
    return f"TLS handshake failed: {error.reason or 'protocol error'}"
