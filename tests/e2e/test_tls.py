"""TLS on both ports, each by two settings."""

import ssl

import grpc.aio
import httpx
import pytest
import trustme

from gen.ingate.system.v1.system_service_pb2 import GetHealthRequest
from gen.ingate.system.v1.system_service_pb2_grpc import SystemServiceStub
from ingate.errors import BadRequest
from ingate.net import server_tls
from tests.support.outside import ASK, command, spawn

AUTHORITY = trustme.CA()
SERVE = ("serve", "--port", "0", "--grpc-port", "0")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Returns the paths of a certificate for this machine and of its key."""
    directory = tmp_path_factory.mktemp("tls")
    issued = AUTHORITY.issue_cert("127.0.0.1", "localhost")
    certificate, key = directory / "cert.pem", directory / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return certificate, key


@pytest.fixture(scope="module")
def spawned(files, tmp_path_factory):
    certificate, key = files
    flags = ("--tls-cert", certificate, "--tls-key", key, "--grpc-tls-cert", certificate, "--grpc-tls-key", key)
    with spawn(tmp_path_factory.mktemp("data"), *map(str, flags), "--max-body-bytes", "100000") as spawned:
        yield spawned


@pytest.fixture
def http(spawned):
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return httpx.AsyncClient(
        base_url=spawned.url, headers={"X-Ingate-Key": spawned.key}, verify=context, trust_env=False, timeout=30
    )


async def test_calls_over_https(spawned, http):
    """Whole, streamed and refused ones, on a kept connection; the address that is printed is the one to use."""
    assert spawned.url.startswith("https://127.0.0.1:")
    async with http:
        for _ in range(2):
            assert (await http.post("/v1/chat/completions", json=ASK)).status_code == 200
        streamed = await http.post("/v1/chat/completions", json={**ASK, "stream": True})
        assert streamed.text.rstrip().endswith("data: [DONE]")
        assert (await http.get("/healthz")).json()["status"] == "ok"


async def test_a_refusal_arrives_while_the_body_is_sent(http):
    """There is no half close under TLS; the answer comes all the same."""
    async with http:
        refused = await http.post("/v1/chat/completions", content=b" " * 4_000_000)
    assert refused.status_code == 413


async def test_who_does_not_trust_the_certificate_or_speaks_no_tls_gets_nothing(spawned):
    """The port speaks TLS alone."""
    for url, context in ((spawned.url, ssl.create_default_context()), (spawned.url.replace("https", "http"), True)):
        async with httpx.AsyncClient(verify=context, trust_env=False) as client:
            with pytest.raises(httpx.TransportError):
                await client.get(f"{url}/healthz")


async def test_grpc_over_tls(spawned):
    """With the same kind of files."""
    root = AUTHORITY.cert_pem.bytes()
    async with grpc.aio.secure_channel(spawned.grpc, grpc.ssl_channel_credentials(root)) as channel:
        assert (await SystemServiceStub(channel).GetHealth(GetHealthRequest(), timeout=10)).status == "ok"
    async with grpc.aio.insecure_channel(spawned.grpc) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await SystemServiceStub(channel).GetHealth(GetHealthRequest(), timeout=10)


def test_files_that_will_not_do_are_named(files, tmp_path):
    """Which setting, which file and why; nobody is asked for a password."""
    from cryptography.hazmat.primitives import serialization

    certificate, key = files
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"canary")
    (tmp_path / "locked.pem").write_bytes(
        loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    (tmp_path / "empty.pem").touch()
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    (tmp_path / "other.pem").write_bytes(AUTHORITY.issue_cert("other.example").private_key_pem.bytes())
    for chain, private, message in (
        (tmp_path, key, f"grpc_tls_cert {tmp_path} cannot be read: Is a directory"),
        (certificate, tmp_path / "no.pem", f"grpc_tls_key {tmp_path}/no.pem cannot be read: No such file or directory"),
        (tmp_path / "empty.pem", key, f"grpc_tls_cert {tmp_path}/empty.pem holds no certificate in PEM"),
        (certificate, certificate, f"grpc_tls_key {certificate} holds no private key in PEM"),
        (
            certificate,
            tmp_path / "locked.pem",
            f"grpc_tls_key {tmp_path}/locked.pem is protected by a password: state one without",
        ),
        (
            certificate,
            tmp_path / "other.pem",
            f"grpc_tls_key {tmp_path}/other.pem is not the key of the certificate in {certificate}",
        ),
        (tmp_path / "broken.pem", key, f"grpc_tls_cert {tmp_path}/broken.pem or its key cannot be used: "),
    ):
        with pytest.raises(BadRequest) as refused:
            server_tls.identity(str(chain), str(private), prefix="grpc_")
        assert refused.value.message.startswith(message)


async def test_a_certificate_that_will_not_do_stops_the_start(files, tmp_path):
    """In one sentence, before anything is made."""
    data = tmp_path / "data"
    with command(*SERVE, "--data-dir", data, "--tls-cert", files[0], "--tls-key", files[0]) as child:
        assert await child.wait_exit(30) == 1
    assert child.output == f"ingate: tls_key {files[0]} holds no private key in PEM"
    assert not data.exists()
