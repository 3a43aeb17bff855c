"""Tools that know none of our protos find their way by reflection, as grpcurl does."""

import json

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.support.gateway import demo_gateway
from tests.support.tools import BUF, run


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with demo_gateway(tmp_path_factory.mktemp("data")) as gateway:
        yield gateway


@pytest.fixture
def channel(gateway):
    with grpc.insecure_channel(gateway.grpc) as channel:
        yield channel


def invoke(channel, pool, service, method, **fields):
    """Calls a method, all of whose types come from the pool."""
    found = pool.FindServiceByName(service).FindMethodByName(method)
    make = channel.unary_unary(
        f"/{service}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(found.output_type).FromString,
    )
    return make(GetMessageClass(found.input_type)(**fields), timeout=10)


def test_a_call_is_made_of_reflected_types_alone(channel):
    """A pool filled by reflection has the messages of a call, which are then built, sent and read."""
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))

    health = invoke(channel, pool, "ingate.system.v1.SystemService", "GetHealth")
    account = invoke(
        channel,
        pool,
        "ingate.auth.v1.AuthService",
        "Signup",
        email="owner@reflected.example",
        password="correct horse",
        org_slug="reflected",
    )

    assert health.status == "ok"
    assert account.org.slug == "reflected"
    assert account.expires_at.seconds > account.user.created_at.seconds


def test_buf_curl_calls_without_a_schema(gateway):
    """A foreign command-line tool learns the schema from the gateway and makes a call."""
    target = f"http://{gateway.grpc}/ingate.system.v1.SystemService/GetHealth"

    answer = json.loads(run([BUF, "curl", "--protocol", "grpc", "--http2-prior-knowledge", target]))

    assert answer["status"] == "ok"
    assert answer["version"]
