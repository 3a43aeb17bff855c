import asyncio
from importlib.metadata import version

import msgspec
import pytest
import structlog
from grpc import StatusCode

from gen.ingate.auth.v1.auth_service_pb2 import MeRequest
from gen.ingate.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from gen.ingate.gateway.v1.gateway_service_pb2 import WatchRequest
from gen.ingate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from gen.ingate.keys.v1.key_service_pb2 import ListKeysRequest
from gen.ingate.keys.v1.key_service_pb2_grpc import KeyServiceStub
from gen.ingate.system.v1 import system_service_pb2 as pb
from gen.ingate.system.v1.system_service_pb2_grpc import SystemServiceStub
from ingate import clock, forwarding
from ingate.config import Settings
from ingate.core import open_core
from ingate.identity.changes import Changes
from ingate.identity.last_used import LastUsed
from ingate.proxy.journal import Shipper
from ingate.proxy.news import News
from ingate.supervision import OFTEN
from ingate.system.servicer import PATIENCE
from tests.support.postgres import admin
from tests.support.tenants import refusal, sign_up
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def grpc_stub_cls():
    return SystemServiceStub


async def test_a_core_that_works_is_healthy(grpc_stub, core):
    """Anyone may ask, whatever credential they show."""
    for metadata in ((), (("x-ingate-key", "sk-ingate-stale"),), (("x-ingate-gateway", core.gateway_token),)):
        answer = await grpc_stub.GetHealth(pb.GetHealthRequest(), metadata=metadata)
        assert (answer.status, answer.version) == ("ok", version("ingate"))


async def test_deep_health_tells_how_the_parts_are(grpc_stub, core):
    """The journal and its bound, each job by name; nothing is wrong. Shallow health says none of it."""
    assert not (await grpc_stub.GetHealth(pb.GetHealthRequest())).HasField("parts")
    parts = (await grpc_stub.GetHealth(pb.GetHealthRequest(deep=True))).parts
    assert list(parts.degraded) == []
    assert parts.journal.max_bytes == Settings().journal_max_bytes
    assert parts.journal.reserve_bytes > 0
    assert not parts.journal.HasField("disk_error")
    names = {"changes.follow", "last_used.run", "news.watch", "journal.tend", "shipper.run"}
    names |= {"tail.follow", "tail.forget", "streams.judge"}
    assert {job.name for job in parts.jobs} - {"records.prepare"} == names  # which is over soon
    assert all(job.running and not job.restarts for job in parts.jobs)


@pytest.mark.parametrize(
    ("job", "place"),
    [
        ("changes.follow", (Changes, "follow")),
        ("last_used.run", (LastUsed, "run")),
        ("news.watch", (News, "watch")),
        ("journal.tend", (forwarding, "_tend")),
        ("shipper.run", (Shipper, "run")),
    ],
)
async def test_a_job_that_dies_is_named_and_runs_again(database_url, tmp_path, job, place, monkeypatch):
    """Deep health names it while it dies too often; then its work goes on, and no record is lost."""
    real, deaths = getattr(*place), []

    async def dying(*args):
        if len(deaths) < OFTEN:
            deaths.append(job)
            raise MemoryError
        await real(*args)

    monkeypatch.setattr(*place, dying)
    settings = Settings(data_dir=str(tmp_path), database_url=database_url)
    # Drawn on a terminal, a traceback takes longer than all the rest.
    with structlog.testing.capture_logs():
        await _dies_and_runs_again(settings, job)


async def _dies_and_runs_again(settings, job):
    async with open_core(settings) as opened:
        system = SystemServiceStub(opened.channel)
        journal = opened.shipper._journal
        journal.append(b"")  # no exchange: put aside when it is shipped
        waiting = asyncio.create_task(opened.shipper.drained())

        async def told():
            answer = await system.GetHealth(pb.GetHealthRequest(deep=True))
            [found] = [it for it in answer.parts.jobs if it.name == job]
            return found.restarts == OFTEN and found.running and (answer, found)

        answer, found = await eventually(told, 60)
        # A busy machine may make the database late too.
        assert f"job:{job}" in answer.parts.degraded
        assert (answer.status, found.error) == ("degraded", "MemoryError")
        await asyncio.wait_for(waiting, 30)
        assert (journal.counts.pending, journal.counts.rejected) == (0, 1)


async def test_a_core_that_drains_is_not_ready_and_still_serves(second_core):
    """Readiness says no; calls go on."""
    second_core.drain()
    failure = await refusal(SystemServiceStub(second_core.channel).GetHealth(pb.GetHealthRequest()))
    assert (failure.code, failure.reason) == (StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert (await sign_up(second_core.channel, second_core.gateway_token)).org_id


async def test_a_database_that_hangs_is_told_in_time(migrated_postgres, tmp_path):
    """All who ask share one question, and the answer is there as soon as the database is."""
    settings = Settings(data_dir=str(tmp_path), database_url=migrated_postgres, database_pool=1)
    async with open_core(settings) as core:
        system = SystemServiceStub(core.channel)
        async with core.database.read():
            async with asyncio.timeout(3 * PATIENCE):
                failures = await asyncio.gather(*(refusal(system.GetHealth(pb.GetHealthRequest())) for _ in range(5)))
            assert {(it.code, it.reason) for it in failures} == {(StatusCode.UNAVAILABLE, "UNAVAILABLE")}
            assert all(it.retry_after > 0 for it in failures)
        assert (await system.GetHealth(pb.GetHealthRequest())).status == "ok"


async def test_a_database_that_went_away_is_unavailable_and_comes_back(migrated_postgres, postgres_server, tmp_path):
    """Every rpc says UNAVAILABLE with a time to come back, not UNAUTHENTICATED and not INTERNAL; then all is well."""
    name = migrated_postgres.rpartition("/")[2]
    async with open_core(Settings(data_dir=str(tmp_path), database_url=migrated_postgres)) as core:
        tenant = await sign_up(core.channel, core.gateway_token)
        async with admin(postgres_server) as connection:
            await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
            for call in (
                SystemServiceStub(core.channel).GetHealth(pb.GetHealthRequest()),
                AuthServiceStub(core.channel).Me(MeRequest(), metadata=tenant.owner),
                KeyServiceStub(core.channel).ListKeys(ListKeysRequest(), metadata=tenant.key),
            ):
                failure = await refusal(call)
                assert (failure.code, failure.reason) == (StatusCode.UNAVAILABLE, "UNAVAILABLE")
                assert failure.retry_after > 0
            await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        assert (await AuthServiceStub(core.channel).Me(MeRequest(), metadata=tenant.owner)).org.id == tenant.org_id
        async with asyncio.timeout(PATIENCE):
            async for news in GatewayServiceStub(core.channel).Watch(WatchRequest(), metadata=tenant.via[:1]):
                if tenant.org_id in news.org_ids:
                    break
                await tenant.issue()


async def test_the_last_use_of_a_key_is_remembered_across_a_restart(settings, core, tmp_path):
    """It is written when the core closes, at the latest."""
    url = settings.database_url or core.database.url
    own = msgspec.structs.replace(settings, data_dir=str(tmp_path), database_url=url)
    async with open_core(own) as first:
        tenant = await sign_up(first.channel, first.gateway_token)
        await AuthServiceStub(first.channel).Me(MeRequest(), metadata=tenant.key)
        used = clock.now()
    async with open_core(own) as second:
        [key] = (await KeyServiceStub(second.channel).ListKeys(ListKeysRequest(), metadata=tenant.owner[-1:])).items
    assert 0 <= used - clock.from_proto(key.last_used_at) < clock.MINUTE
