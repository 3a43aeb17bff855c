"""Two nginx: one is the provider with a fixed answer, the other the bare reverse proxy to compare with.

Knows nothing of the gateway. Each has one worker, keeps connections alive, logs nothing, and
holds bodies of the size that the cases have in memory.
"""

import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import waiting
from tests.support.process import Child

_FRAME = """
daemon off;
master_process on;
worker_processes 1;
worker_rlimit_nofile 8192;
pid {directory}/pid;
error_log {directory}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  keepalive_requests 1000000000;
  tcp_nodelay on;
  client_body_buffer_size 256k;
  proxy_buffers 8 32k;
  {body}
}}
"""
_PROVIDER = """
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    default_type application/json;
    location /v1/ {{
      add_header openai-version 2020-10-01;
      add_header openai-processing-ms 412;
      add_header x-request-id req_8f0c6a52d1b94e37a0c1f2d3e4b5a697;
      {answering}
    }}
    location /seen {{ stub_status; }}
  }}
"""
_FILE = """
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    default_type application/json;
    location / {{ root {directory}; try_files /answer =404; }}
  }}
"""
_LONGEST_PARAMETER = 4000
_PROXY = """
  upstream provider {{
    server {upstream};
    keepalive 512;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering {buffering};
    }}
  }}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running nginx."""

    child: Child
    url: str

    def seen(self) -> int:
        """Returns how many requests the provider has answered, those of this method left out."""
        with urllib.request.urlopen(f"{self.url}/seen") as answer:
            numbers = re.findall(r"^ \d+ \d+ (\d+) ", answer.read().decode(), re.MULTILINE)
        return int(numbers[0])


@contextmanager
def provider(directory: Path, answer: str) -> Iterator[Nginx]:
    """Yields the provider: every path below /v1/ gets the same answer."""
    with _answering(directory, answer) as answering:
        port = waiting.free_port()
        with _run(directory / "provider", port, _PROVIDER.format(port=port, answering=answering)) as nginx:
            yield nginx


@contextmanager
def _answering(directory: Path, answer: str) -> Iterator[str]:
    """Yields the directives that answer. A long answer comes from a file of a third nginx, once the request is read."""
    if len(answer) <= _LONGEST_PARAMETER:
        yield f"return 200 '{answer}';"
        return
    port, files = waiting.free_port(), directory / "files"
    files.mkdir(parents=True)
    (files / "answer").write_text(answer)
    with _run(directory / "origin", port, _FILE.format(port=port, directory=files)) as nginx:
        unread = "proxy_method GET; proxy_pass_request_body off; proxy_set_header Content-Length '';"
        yield f"{unread} proxy_pass {nginx.url};"


@contextmanager
def proxy(directory: Path, upstream: str, *, buffering: bool = True) -> Iterator[Nginx]:
    """Yields a bare reverse proxy before `upstream`, which is host and port."""
    port = waiting.free_port()
    body = _PROXY.format(port=port, upstream=upstream, buffering="on" if buffering else "off")
    with _run(directory, port, body) as nginx:
        yield nginx


@contextmanager
def _run(directory: Path, port: int, body: str) -> Iterator[Nginx]:
    directory.mkdir(parents=True)
    config = directory / "nginx.conf"
    config.write_text(_FRAME.format(directory=directory, body=body))
    with Child(["nginx", "-c", str(config), "-e", str(directory / "error.log"), "-p", str(directory)]) as child:
        waiting.for_port(port, child)
        yield Nginx(child, f"http://127.0.0.1:{port}")
