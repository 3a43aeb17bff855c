"""Two nginx: one is the provider with fixed answers, the other a bare reverse proxy to compare with.

Knows nothing of the gateway. Each has one worker, keeps connections alive, logs nothing, and
holds bodies of the size that the cases have in memory.
"""

import re
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import waiting
from bench.proxies import Proxy
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
  proxy_max_temp_file_size 0;
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
_FILES = """
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    default_type application/json;
    location / {{ root {directory}; try_files $answer =404; }}
  }}
"""
_CHOICE = """
  split_clients "$connection-$connection_requests" $answer {{ {choices} }}
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


class Provider(Proxy):
    """A provider that runs."""

    def seen(self) -> int:
        """Returns how many requests it has answered, those of this method left out."""
        with urllib.request.urlopen(f"{self.url}/seen") as answer:
            numbers = re.findall(r"^ \d+ \d+ (\d+) ", answer.read().decode(), re.MULTILINE)
        return int(numbers[0])


@contextmanager
def provider(directory: Path, answers: Sequence[str]) -> Iterator[Provider]:
    """Yields the provider: every path below /v1/ gets one of the answers, each as often."""
    with _answering(directory, answers) as (choice, answering):
        port = waiting.free_port()
        body = choice + _PROVIDER.format(port=port, answering=answering)
        with _run(directory / "provider", port, body) as child:
            yield Provider(child, f"http://127.0.0.1:{port}")


@contextmanager
def _answering(directory: Path, answers: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the directives that choose and give an answer.

    Long answers come from files of a third nginx, once the request is read.
    """
    if max(map(len, answers)) <= _LONGEST_PARAMETER:
        yield _chosen([f"'{answer}'" for answer in answers]), "return 200 $answer;"
        return
    port, files = waiting.free_port(), directory / "files"
    files.mkdir(parents=True)
    for number, answer in enumerate(answers):
        (files / f"answer{number}").write_text(answer)
    choice = _chosen([f"/answer{number}" for number in range(len(answers))])
    with _run(directory / "origin", port, choice + _FILES.format(port=port, directory=files)):
        unread = "proxy_method GET; proxy_pass_request_body off; proxy_set_header Content-Length '';"
        yield "", f"{unread} proxy_pass http://127.0.0.1:{port};"


def _chosen(values: Sequence[str]) -> str:
    *several, last = values
    choices = [f"{100 / len(values):.2f}% {value};" for value in several]
    return _CHOICE.format(choices=" ".join([*choices, f"* {last};"]))


@contextmanager
def proxy(directory: Path, upstream: str, *, buffering: bool = True) -> Iterator[Proxy]:
    """Yields a bare reverse proxy before `upstream`, which is host and port."""
    port = waiting.free_port()
    body = _PROXY.format(port=port, upstream=upstream, buffering="on" if buffering else "off")
    with _run(directory, port, body) as child:
        yield Proxy(child, f"http://127.0.0.1:{port}")


@contextmanager
def _run(directory: Path, port: int, body: str) -> Iterator[Child]:
    directory.mkdir(parents=True)
    config = directory / "nginx.conf"
    config.write_text(_FRAME.format(directory=directory, body=body))
    with Child(["nginx", "-c", str(config), "-e", str(directory / "error.log"), "-p", str(directory)]) as child:
        waiting.for_port(port, child)
        yield child
