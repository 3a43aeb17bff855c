"""The gateway behind nginx, with the configuration that the document on operation shows."""

import asyncio
import shutil
import ssl

import grpc.aio
import httpx
import pytest
import pytest_asyncio
import trustme

from gen.ingate.system.v1.system_service_pb2 import GetHealthRequest
from gen.ingate.system.v1.system_service_pb2_grpc import SystemServiceStub
from tests.support.documents import samples
from tests.support.gateway import checked, gateway
from tests.support.ports import free_port
from tests.support.process import Child
from tests.support.tools import ROOT
from tests.support.upstream import SSE, ScriptedUpstream, chunk, end, event, head, pause, send
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.skipif(shutil.which("nginx") is None, reason="there is no nginx: apt-get install nginx-light"),
    pytest.mark.asyncio(loop_scope="module"),
]

AUTHORITY = trustme.CA()
CALLER = "127.0.0.7"
ASK = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "Say hello."}]}
_FRAME = """
daemon off;
master_process off;
pid {directory}/pid;
events {{}}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  include {directory}/ingate.conf;
}}
"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gw():
    async with gateway(demo=True, trusted_proxies="127.0.0.1") as gw:
        yield gw


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def ports(gw, tmp_path_factory):
    """The ports for HTTPS and gRPC of an nginx that runs the document's sample before the gateway."""
    directory = tmp_path_factory.mktemp("nginx")
    issued = AUTHORITY.issue_cert("127.0.0.1")
    (directory / "fullchain.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    (directory / "privkey.pem").write_bytes(issued.private_key_pem.bytes())
    https, rpc = free_port(), free_port()
    [sample] = samples(ROOT / "docs" / "operation.md", "nginx")
    for stated, real in {
        "listen 443 ": f"listen 127.0.0.1:{https} ",
        "listen 50443 ": f"listen 127.0.0.1:{rpc} ",
        "/etc/ssl/llm.example.com": str(directory),
        "server 127.0.0.1:8080": f"server {gw.url.removeprefix('http://')}",
        "grpc://127.0.0.1:50051": f"grpc://{gw.grpc_target}",
    }.items():
        assert stated in sample
        sample = sample.replace(stated, real)
    (directory / "ingate.conf").write_text(sample)
    config = directory / "nginx.conf"
    config.write_text(_FRAME.format(directory=directory))
    with Child(["nginx", "-c", str(config), "-e", "stderr", "-p", str(directory)]) as child:

        async def listening():
            assert child.returncode is None, child.output
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", rpc)
            except ConnectionRefusedError:
                return False
            writer.close()
            return True

        await eventually(listening, 30, "nginx listens")
        yield https, rpc


def trusting():
    """Returns a TLS context that trusts the certificate of nginx."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


@pytest_asyncio.fixture(loop_scope="module")
async def http(ports):
    """Returns a client of nginx at an address that is not nginx's own."""
    transport = httpx.AsyncHTTPTransport(verify=trusting(), local_address=CALLER)
    async with httpx.AsyncClient(base_url=f"https://127.0.0.1:{ports[0]}", transport=transport, timeout=30) as client:
        yield client


async def test_a_stream_passes_as_it_comes(gw, http):
    """The provider sends an event only when the caller has the one before: with anything held back this would hang."""
    org = await gw.signup()
    gates = [asyncio.Event() for _ in range(3)]
    steps = [step for number, gate in enumerate(gates) for step in (send(chunk(event({"n": number}))), pause(gate))]
    async with ScriptedUpstream() as up:
        await org.provider("stepwise", "openai", up.url, api_key="sk-upstream")
        up.enqueue(head(200, SSE), *steps, end())
        headers = {"X-Ingate-Key": org.key, "X-Ingate-Provider": "stepwise"}
        async with http.stream("POST", "/v1/chat/completions", json=ASK, headers=headers) as answer:
            pieces = answer.aiter_raw()
            for number, gate in enumerate(gates):
                assert await anext(pieces) == event({"n": number})
                gate.set()


async def test_the_callers_address_is_known(gw, http):
    """It is that of the connection to nginx, whatever the caller says of it."""
    org = await gw.signup()
    login = {"email": f"owner@{org.slug}.example", "password": "correct horse", "org_slug": org.slug}
    invented = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.10"}
    token = checked(await http.post("/api/v1/auth/login", json=login, headers=invented))["token"]
    mine = {"Authorization": f"Bearer {token}"}
    sessions = checked(await http.get("/api/v1/auth/sessions", headers=mine))["items"]
    assert CALLER in {one["ip_address"] for one in sessions}


async def test_the_largest_body_passes(gw, http):
    """The gateway itself refuses what is too large, in its own words."""
    org = await gw.signup()
    key = {"X-Ingate-Key": org.key, "Content-Type": "application/json"}
    for size, status in ((2_000_000, 400), (33_554_433, 413)):
        answer = await http.post("/v1/chat/completions", content=b" " * size, headers=key)
        assert answer.status_code == status
        assert answer.json()["request_id"]


async def test_grpc_passes(ports):
    """Over TLS, on a port of its own."""
    credentials = grpc.ssl_channel_credentials(AUTHORITY.cert_pem.bytes())
    async with grpc.aio.secure_channel(f"127.0.0.1:{ports[1]}", credentials) as channel:
        assert (await SystemServiceStub(channel).GetHealth(GetHealthRequest(), timeout=10)).status == "ok"
