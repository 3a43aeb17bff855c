"""What a feature is: a value that is added to a list, and everything that the list promises of its features."""

import asyncio
import importlib
import sys

import grpc
import pytest
from sqlalchemy.orm import DeclarativeBase

import gen.ingate
from gen.ingate.orgs.v1.org_service_pb2 import DeleteOrgRequest
from ingate.compose import CHAT, PROXY, compose
from ingate.config import Settings
from ingate.core import FEATURES, open_core
from ingate.db import Base
from ingate.feature import Feature, Job
from ingate.identity.tables import Change
from ingate.rpc import server as rpc_server
from ingate.rpc.connect import connect
from ingate.rpc.principal import principal
from ingate.rpc.services import rpcs, services
from ingate.schema import TABLES
from tests.support.tenancy import Site
from tests.support.tools import BUF, ROOT, run

TOY = "ingate.toy.v1.ToyService"


@pytest.fixture
def generated(tmp_path_factory):
    """The modules that `make generate` makes of the toy's proto, beside those of Ingate's."""
    out, source = tmp_path_factory.mktemp("gen"), tmp_path_factory.mktemp("proto")
    proto = source / "ingate" / "toy" / "v1" / "toy_service.proto"
    proto.parent.mkdir(parents=True)
    proto.write_text((ROOT / "tests" / "support" / "toy" / "toy_service.proto").read_text())
    include = [f"-I{source}", f"-I{ROOT / 'proto'}", f"-I{ROOT / 'third_party'}"]
    python = BUF.with_name("python")
    run([python, "-m", "grpc_tools.protoc", *include, f"--python_out={out}", f"--grpc_python_out={out}", proto])
    for directory in (out / "ingate" / "toy", out / "ingate" / "toy" / "v1"):
        (directory / "__init__.py").touch()
    for path in out.rglob("*.py"):
        path.write_text(path.read_text().replace("from ingate.", "from gen.ingate."))
    gen.ingate.__path__.append(str(out / "ingate"))
    _forget_services()
    yield importlib.import_module("gen.ingate.toy.v1.toy_service_pb2")
    gen.ingate.__path__.remove(str(out / "ingate"))
    # A copy at once, for threads that the core left may still import something.
    for name in [name for name in list(sys.modules) if name.startswith("gen.ingate.toy")]:
        del sys.modules[name]
    _forget_services()


def _forget_services():
    importlib.invalidate_caches()
    services.cache_clear()
    rpcs.cache_clear()


class Toy:
    """Counts how often its job has run and which organisations were purged."""

    def __init__(self, messages):
        self.messages, self.ran, self.purged = messages, asyncio.Event(), []
        self.feature = Feature(
            servicers={TOY: lambda parts: _Servicer(self, parts.settings.default_plan)},
            jobs=(Job("toy.run", self.run, may_end=True),),
            purge=self.purge,
            settings=frozenset({"default_plan"}),
        )

    async def run(self, parts, servicers):
        assert isinstance(servicers[TOY], _Servicer)
        assert vars(parts.settings) == {"default_plan": "free"}
        self.ran.set()

    async def purge(self, database, org_id):
        async with database.read():
            self.purged.append(org_id)


class _Servicer:
    def __init__(self, toy, plan):
        self._toy, self._plan = toy, plan

    async def Count(self, request, context):  # noqa: N802 -- gRPC names the methods
        assert self._plan == "free"
        return self._toy.messages.CountResponse(org_id=principal().org_id, count=len(self._toy.purged))


@pytest.mark.asyncio(loop_scope="session")
async def test_a_feature_is_added_by_one_line(generated, tmp_path):
    """Its rpc is served on both transports behind every stage, its job runs, and organisations leave nothing in it."""
    toy = Toy(generated)
    settings = Settings(data_dir=str(tmp_path), signup="open", default_plan="free")
    features = (*FEATURES, toy.feature)
    async with compose(settings, features) as core:
        await asyncio.wait_for(toy.ran.wait(), 30)
        site = Site(core, core.channel)
        acme = await site.found()
        server = await rpc_server.start("127.0.0.1:0", core.servicers, interceptors=core.interceptors, door=core.door)
        async with connect(server.target) as channel:
            for way in (core.channel, channel):
                count = way.unary_unary(
                    f"/{TOY}/Count",
                    request_serializer=generated.CountRequest.SerializeToString,
                    response_deserializer=generated.CountResponse.FromString,
                )
                answer = await count(generated.CountRequest(), metadata=acme.owner.metadata, timeout=30)
                assert (answer.org_id, answer.count) == (acme.id, 0)
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await count(generated.CountRequest(), timeout=30)
                assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        await server.stop(0)
        await site.call(DeleteOrgRequest(org_id=acme.id), acme.owner)
        assert toy.purged == [acme.id, acme.id]


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    "second",
    [
        Feature(servicers={next(iter(FEATURES[1].servicers)): lambda parts: None}),
        Feature(servicers={PROXY: lambda parts: None}),
        Feature(servicers={CHAT: lambda parts: None}),
        Feature(jobs=(Job("last_used.run", lambda parts, servicers: None),)),
    ],
    ids=["service", "proxy", "chat", "job"],
)
async def test_two_features_of_one_name_are_refused(tmp_path, second):
    """Nothing is opened then."""
    with pytest.raises(ValueError, match="more than one feature has"):
        async with compose(Settings(data_dir=str(tmp_path / "data")), (*FEATURES, second)):
            pass
    assert not (tmp_path / "data").exists()


@pytest.mark.asyncio(loop_scope="session")
async def test_a_feature_gets_the_settings_that_it_states_alone(tmp_path):
    """One that it does not state is not there, so that the list of those that it reads is true."""
    curious = Feature(servicers={TOY: lambda parts: parts.settings.signup}, settings=frozenset({"demo"}))
    with pytest.raises(AttributeError, match="signup"):
        async with compose(Settings(data_dir=str(tmp_path)), (*FEATURES, curious)):
            pass


def test_features_state_settings_that_there_are():
    """None of a name that was changed or taken away."""
    for feature in FEATURES:
        assert feature.settings <= set(Settings.__struct_fields__)


@pytest.mark.asyncio(loop_scope="session")
async def test_every_service_is_served(tmp_path):
    """By a feature, or with the engine."""
    async with open_core(Settings(data_dir=str(tmp_path))) as core:
        assert set(core.servicers) == set(services())


def test_every_table_is_a_features():
    """Of one alone."""
    ours = {mapper.class_ for mapper in Base.registry.mappers}
    assert len(TABLES) == len(set(TABLES))
    assert set(TABLES) == ours


NOT_PURGED = {Change: "news for gateways, of which the end of the organisation is one; forgotten within an hour"}


def _stays(table: type[DeclarativeBase]) -> bool:
    """Whether rows of an organisation are left when it is deleted."""
    column = table.__table__.columns.get("org_id")
    return column is not None and not any(key.ondelete in {"CASCADE", "SET NULL"} for key in column.foreign_keys)


def test_what_no_foreign_key_deletes_is_purged():
    """An organisation that is deleted leaves nothing in any feature's tables."""
    for feature in FEATURES:
        left = [table for table in feature.tables if _stays(table) and table not in NOT_PURGED]
        assert not left or feature.purge is not None, left
