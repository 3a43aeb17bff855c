"""Envoy as a transcoder of JSON before a gRPC port."""

import json
from contextlib import asynccontextmanager

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from bench.envoy import path
from rest_facade.spec.comments import DESCRIPTOR_SET
from tests.support.ports import free_port
from tests.support.process import Child

_FILTERS = "type.googleapis.com/envoy.extensions.filters"
_UPSTREAM = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


@asynccontextmanager
async def transcoder(directory, target, services):
    """Yields the URL of an Envoy that transcodes these services, by their full names, of the gRPC server at `target`.

    Its options are those that come closest to the gateway's own REST API: names as in the protos, all that is zero
    told, and everything refused that it knows how to refuse. `directory` takes its files.
    """
    descriptors, config, admin = (directory / name for name in ("descriptors.binpb", "envoy.json", "admin"))
    descriptors.write_bytes(_without_response_bodies())
    port = free_port()
    config.write_text(json.dumps(_config(port, target, descriptors, services)))
    command = [path(), "-c", config, "--concurrency", "1", "--disable-hot-restart", "-l", "info"]
    with Child([*map(str, command), "--admin-address-path", str(admin)]) as envoy:
        await envoy.expect_line("all dependencies initialized. starting workers")
        yield f"http://127.0.0.1:{port}"


def _without_response_bodies():
    """Returns the project's descriptor set as Envoy takes it: one with any `response_body` keeps it from starting."""
    files = FileDescriptorSet.FromString(DESCRIPTOR_SET.read_bytes())
    for method in (method for file in files.file for service in file.service for method in service.method):
        if method.options.HasExtension(annotations_pb2.http):
            rule = method.options.Extensions[annotations_pb2.http]
            for one in (rule, *rule.additional_bindings):
                one.ClearField("response_body")
    return files.SerializeToString()


def _config(port, target, descriptors, services):
    transcoding = {
        "@type": f"{_FILTERS}.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor": str(descriptors),
        "services": services,
        "print_options": {"always_print_primitive_fields": True, "preserve_proto_field_names": True},
        "convert_grpc_status": True,
        "request_validation_options": {
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
            "reject_binding_body_field_collisions": True,
        },
    }
    manager = {
        "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "transcoding",
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "core"}}]}
            ]
        },
        "http_filters": [
            {"name": "transcoder", "typed_config": transcoding},
            {"name": "router", "typed_config": {"@type": f"{_FILTERS}.http.router.v3.Router"}},
        ],
    }
    host, _, grpc_port = target.rpartition(":")
    cluster = {
        "name": "core",
        "typed_extension_protocol_options": {
            _UPSTREAM: {
                "@type": f"type.googleapis.com/{_UPSTREAM}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "load_assignment": {
            "cluster_name": "core",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(host, int(grpc_port))}}]}],
        },
    }
    listener = {
        "address": _address("127.0.0.1", port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(host, port):
    return {"socket_address": {"address": host, "port_value": port}}
