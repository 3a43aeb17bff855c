"""Free TCP ports on the loopback address. Knows no server."""

import socket


def free_port(host="127.0.0.1"):
    """Returns a TCP port nobody listens on now.

    Another process may take it before the caller does: a server that can bind port 0 itself should do that.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]
