"""Laws that hold for every rpc in the protos."""

import re

import pytest
from google.api import field_behavior_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from gen.buf.validate import validate_pb2
from ingate.rpc.bounds import bounds
from ingate.rpc.rules import problems
from ingate.rpc.services import rpcs, services

RPCS = sorted(rpcs().values(), key=lambda rpc: rpc.path)


def messages_of(descriptor, seen):
    """Adds a message type and all that it contains to `seen`."""
    if descriptor.full_name not in seen:
        seen[descriptor.full_name] = descriptor
        for field in descriptor.fields:
            if field.message_type is not None:
                messages_of(field.message_type, seen)
    return seen


def all_messages():
    seen = {}
    for rpc in RPCS:
        messages_of(rpc.request.DESCRIPTOR, seen)
        messages_of(rpc.response.DESCRIPTOR, seen)
    return sorted(seen.values(), key=lambda descriptor: descriptor.full_name)


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.path)
def test_every_rpc_states_exactly_one_kind_of_access(rpc):
    """Public, gateway, a person, any credential or a role; scope and feature only refine a role."""
    access_option = rpc.access
    kinds = ("public", "gateway", "person", "authenticated", "role")
    assert sum(bool(getattr(access_option, kind)) for kind in kinds) == 1
    if access_option.scope or access_option.feature:
        assert access_option.role


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.path)
def test_every_rpc_states_in_which_organisation_it_acts(rpc):
    """The caller's, the one that a field names, or none; a role is one in an organisation, and no field is left out."""
    kind, access = rpc.tenancy.WhichOneof("organization"), rpc.access
    assert kind is not None
    assert kind == "field" or getattr(rpc.tenancy, kind)
    if access.role:
        assert kind in {"caller", "field"}
        assert "org_id" not in rpc.request.DESCRIPTOR.fields_by_name or rpc.tenancy.field == "org_id"
    else:
        assert kind == "none" or (access.authenticated and kind == "caller")
    if kind == "field":
        field = rpc.request.DESCRIPTOR.fields_by_name[rpc.tenancy.field]
        assert field.type == FieldDescriptor.TYPE_STRING
        assert not field.is_repeated


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.path)
def test_every_rpc_states_its_idempotency(rpc):
    """The option is written down, even where it says that calls are not idempotent."""
    service = rpc.request.DESCRIPTOR.file.pool.FindServiceByName(rpc.service)
    assert service.methods_by_name[rpc.name].GetOptions().HasField("idempotency_level")
    assert rpc.idempotency in MethodOptions.IdempotencyLevel.values()


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.path)
def test_every_success_status_is_one(rpc):
    """A status of success is 2xx, and 200 unless stated."""
    assert 200 <= rpc.success_status < 300


@pytest.mark.parametrize("descriptor", all_messages(), ids=lambda descriptor: descriptor.full_name)
def test_the_rules_of_every_message_make_sense(descriptor):
    """Each rule fits its field, and a text with a pattern has a bound, so that no pattern meets a huge text."""
    problems(message_factory.GetMessageClass(descriptor)())
    for field in descriptor.fields:
        stated = bounds(field)
        if stated.pattern:
            re.compile(stated.pattern)
            assert stated.pattern.startswith("^(?:"), field.full_name
            assert stated.pattern.endswith(")$"), field.full_name
            assert stated.most_length, field.full_name
        if stated.most_length:
            assert stated.least_length <= stated.most_length, field.full_name


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.path)
def test_what_a_request_must_hold_is_stated_for_foreign_clients(rpc):
    """What is REQUIRED is required; enumerations take what they define; numbers are finite."""
    for field in rpc.request.DESCRIPTOR.fields:
        rules = field.GetOptions().Extensions[validate_pb2.field]
        required = field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
        assert rules.required == required, field.full_name
        item = rules.repeated.items if field.is_repeated else rules
        if field.enum_type is not None:
            assert item.enum.defined_only, field.full_name
        if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
            assert getattr(item, item.WhichOneof("type") or "double").finite, field.full_name


@pytest.mark.parametrize("descriptor", all_messages(), ids=lambda descriptor: descriptor.full_name)
def test_fields_that_sound_secret_are_marked(descriptor):
    """A field named for a secret carries debug_redact."""
    for field in descriptor.fields:
        text = field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
        if text and re.fullmatch(r"(.*_)?(password|secret|token|api_key)", field.name):
            assert field.GetOptions().debug_redact, field.full_name


def test_the_table_has_every_service_that_is_generated():
    """No generated service module is left out, and each is registered under its full name."""
    import gen.ingate

    root = next(iter(gen.ingate.__path__))
    from pathlib import Path

    modules = {path.name for path in Path(root).rglob("*_pb2_grpc.py") if b"_to_server" in path.read_bytes()}
    found = {service.add_to_server.__module__.rpartition(".")[2] + ".py" for service in services().values()}
    assert found == modules
    assert all(name.startswith("ingate.") for name in services())


def test_options_are_resolved():
    """What the protos say of one rpc is what the table says."""
    rpc = rpcs()["/ingate.keys.v1.KeyService/CreateKey"]
    assert (rpc.service, rpc.name, rpc.success_status) == ("ingate.keys.v1.KeyService", "CreateKey", 201)
    assert (rpc.access.role, rpc.access.scope) == (3, 5)
    assert rpc.request.DESCRIPTOR.full_name == "ingate.keys.v1.CreateKeyRequest"
    assert rpc.response.DESCRIPTOR.full_name == "ingate.keys.v1.CreateKeyResponse"
    assert rpcs()["/ingate.gateway.v1.GatewayService/Watch"].server_streaming
