"""Two gateways that keep the same data: one to be asked by REST, one whose gRPC port has Envoy before it."""

import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from gen.ingate.access.v1.access_pb2 import ROLE_VIEWER
from gen.ingate.auth.v1.auth_service_pb2 import ListSessionsRequest
from gen.ingate.exchanges.v1 import exchange_pb2
from gen.ingate.exchanges.v1.record_service_pb2 import RecordRequest
from gen.ingate.keys.v1.key_service_pb2 import RotateKeyRequest
from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_OPENAI_COMPATIBLE
from gen.ingate.providers.v1.provider_service_pb2 import CreateProviderRequest
from ingate import clock
from tests.support import envoy, possessions, tenancy
from tests.support.gateway import PATIENCE, gateway
from tests.support.ports import free_port
from tests.support.records import record


@dataclass(frozen=True)
class Doors:
    """An HTTP client of each gateway, and when what they hold apart began, in microseconds."""

    ours: httpx.AsyncClient
    theirs: httpx.AsyncClient
    since: int


@asynccontextmanager
async def doors(furnished, directory, services):
    """Yields the doors of two gateways, on copies of a directory that `furnish` filled."""
    for name in ("ours", "theirs"):
        shutil.copytree(furnished, directory / name)
    async with (
        gateway(data_dir=directory / "ours", grpc=False) as ours,
        gateway(data_dir=directory / "theirs") as theirs,
        envoy.transcoder(directory, theirs.grpc_target, services) as url,
        ours.client() as one,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE) as other,
    ):
        yield Doors(one, other, clock.now())


async def furnish(directory):
    """Fills a directory with an organisation that has everything, and returns the ids and callers by name."""
    async with gateway(data_dir=directory, grpc=False) as gw:
        site = tenancy.Site(gw.core, gw.core.channel)
        org, other = await site.found(), await site.found()
        own, foreign = await possessions.fill(site, org), await possessions.fill(site, other)
        await site.call(RotateKeyRequest(key_id=(await site.key(org)).id, overlap_hours=1), org.owner)
        await site.call(RecordRequest(records=[_exchange(org.id)]))
        await site.call(_provider(), org.owner)
        leaving = await site.login(org.owner)
        await site.login(org.owner)
        sessions = await site.call(ListSessionsRequest(), org.owner)
        return own | {
            "request_id": EXCHANGE,
            "name": "closed",
            "session_id": sessions.items[0].id,
            "invitation": (await site.invite(org)).token,
            "email": org.owner.email,
            "org_slug": org.slug,
            "owner": org.owner.metadata,
            "leaving": leaving.metadata,
            "viewer": (await site.key(org, role=ROLE_VIEWER)).metadata,
            "nobody": (),
            "unknown": (("x-ingate-key", "sk-ingate-" + "x" * 43),),
            "anothers": foreign | {"name": "nobody-has-this"},
        }


EXCHANGE = "01a00000-0000-7000-8000-000000000001"


def _exchange(org_id):
    """Returns the record of an exchange that has something in every field that has a form of its own."""
    payload = exchange_pb2.Payload(
        request_headers=b'{"a":"\\u00e9","n":1.50}',
        request_body=b"\xff\x00",
        response_headers=b"{}",
        response_body=b'{"model":"x", "n": [1, 2.0, null]}',
        truncated=True,
    )
    return record(
        org_id,
        at=clock.now() // clock.SECOND * clock.SECOND - clock.HOUR + clock.SECOND // 2,
        price_provider="openai",
        payload=payload,
        request_id=EXCHANGE,
        provider="openai",
        model="gpt-4o",
        stream=True,
        ttft_ms=3.25,
        input_tokens=1_000_001,
        output_tokens=0,
        prompt='é\u2028"',
        completion="<b>\n",
        metadata={"a": "b"},
        tags={"c": ""},
        attempts=[exchange_pb2.Attempt(provider="openai", status_code=200, latency_ms=0.1)],
    )


def _provider():
    """Returns the request for a provider at an address where nobody listens."""
    return CreateProviderRequest(
        name="closed", type=PROVIDER_TYPE_OPENAI_COMPATIBLE, base_url=f"http://127.0.0.1:{free_port()}", api_key="sk-x"
    )
