"""What reflection tells strangers under both of its names: all that is public, nothing that is for gateways alone."""

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2 as pb

from ingate.rpc.services import services
from tests.support.chain import answering, serving

VERSIONS = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
NOT_FOUND = grpc.StatusCode.NOT_FOUND.value[0]
INTERNAL = [service for service in services().values() if service.internal]
HIDDEN = {
    "ingate.gateway.v1.GatewayService",
    "ingate.exchanges.v1.RecordService",
    "ingate.providers.v1.RouteService",
}


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


async def reflected(version, *requests):
    """Asks a server of all services, and returns the answers."""
    async with serving({name: answering(name) for name in services()}) as (channel, _):
        method = channel.stream_stream(
            f"/{version}/ServerReflectionInfo",
            request_serializer=pb.ServerReflectionRequest.SerializeToString,
            response_deserializer=pb.ServerReflectionResponse.FromString,
        )
        return [answer async for answer in method(iter(requests), timeout=20)]


def files(answer):
    return [FileDescriptorProto.FromString(raw) for raw in answer.file_descriptor_response.file_descriptor_proto]


def by_symbol(*names):
    return [pb.ServerReflectionRequest(file_containing_symbol=name) for name in names]


def by_name(*names):
    return [pb.ServerReflectionRequest(file_by_filename=name) for name in names]


def extension(number, name="google.protobuf.MethodOptions"):
    asked = pb.ExtensionRequest(containing_type=name, extension_number=number)
    return pb.ServerReflectionRequest(file_containing_extension=asked)


def test_what_is_hidden_is_what_gateways_alone_may_call():
    """The set follows from the access options; here it is once more, by name."""
    assert {service.name for service in INTERNAL} == HIDDEN


async def test_it_lists_what_strangers_may_call(version):
    """Every public service, health checking, and itself under both names."""
    [answer] = await reflected(version, pb.ServerReflectionRequest(list_services=""))
    listed = {service.name for service in answer.list_services_response.service}
    assert listed == set(services()) - HIDDEN | {"grpc.health.v1.Health", *VERSIONS}


async def test_it_has_a_file_for_whatever_it_lists(version):
    """With all that the file imports, so that a tool can make calls of it."""
    names = [*(name for name in services() if name not in HIDDEN), "grpc.health.v1.Health", *VERSIONS]
    for name, answer in zip(names, await reflected(version, *by_symbol(*names)), strict=True):
        found = {file.name: file for file in files(answer)}
        assert name in {f"{file.package}.{service.name}" for file in found.values() for service in file.service}
        assert {imported for file in found.values() for imported in file.dependency} <= set(found)


async def test_internal_services_are_in_no_file_by_any_name(version):
    """Neither they nor their rpcs, messages or files are found, nor do others' files import theirs."""
    symbols = [service.name for service in INTERNAL]
    symbols += [f"{rpc.service}.{rpc.name}" for service in INTERNAL for rpc in service.rpcs]
    symbols += [rpc.request.DESCRIPTOR.full_name for service in INTERNAL for rpc in service.rpcs]
    symbols += ["ingate.gateway.v1.Grant", "ingate.providers.v1.Route", "ingate.exchanges.v1.ExchangeRecord.payload"]
    names = [service.file.name for service in INTERNAL]
    names += ["ingate/gateway/v1/grant.proto", "ingate/providers/v1/route.proto"]
    everything = by_symbol(*(name for name in services() if name not in HIDDEN), *VERSIONS)
    everything += [extension(50101), extension(50111, "google.protobuf.FieldOptions")]

    refused = await reflected(version, *by_symbol(*symbols), *by_name(*names))
    given = {file.name for answer in await reflected(version, *everything) for file in files(answer)}

    assert [answer.error_response.error_code for answer in refused] == [NOT_FOUND] * len(refused)
    assert "ingate/options/v1/options.proto" in given
    assert not given & set(names)


async def test_what_makes_no_sense_is_answered(version):
    """In its place in the stream, which goes on."""
    odd = ("", ".", "ingate", "ingate.keys.v1.KeyService.", "../../etc/passwd", "\x00", "ž" * 10_000)
    asked = [
        *by_symbol(*odd),
        *by_name(*odd),
        *(extension(number) for number in (0, -1, 2**31 - 1)),
        *(extension(50101, name) for name in odd),
        *(pb.ServerReflectionRequest(all_extension_numbers_of_type=name) for name in odd),
    ]
    *wrong, empty, listing = await reflected(
        version, *asked, pb.ServerReflectionRequest(), pb.ServerReflectionRequest(list_services="*")
    )
    assert {answer.error_response.error_code for answer in wrong} == {NOT_FOUND}
    assert len(wrong) == len(asked)
    assert empty.error_response.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert listing.list_services_response.service


@pytest.mark.parametrize("raw", [b"\xff", b"\x0a\x05x", b"\x0a\x01\xff"])
async def test_bytes_that_are_no_request_are_the_callers_fault(version, raw, caplog):
    """Anyone may send them, so none is worth a line of the log."""
    async with serving({}) as (channel, _):
        reflection = channel.stream_stream(f"/{version}/ServerReflectionInfo")(iter([raw]), timeout=20)
        [answer] = [pb.ServerReflectionResponse.FromString(it) async for it in reflection]
        assert answer.error_response.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
        health = "/grpc.health.v1.Health"
        for call, code in (
            (channel.unary_unary(f"{health}/Check")(raw, timeout=20), grpc.StatusCode.INVALID_ARGUMENT),
            (channel.unary_stream(f"{health}/Watch")(raw, timeout=20), grpc.StatusCode.INVALID_ARGUMENT),
            (channel.unary_unary(f"{health}/List")(b"", timeout=20), grpc.StatusCode.UNIMPLEMENTED),
        ):
            assert await call.code() is code
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
