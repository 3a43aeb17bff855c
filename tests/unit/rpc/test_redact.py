from google.protobuf import descriptor_pb2

from gen.ingate.auth.v1 import auth_service_pb2
from gen.ingate.gateway.v1 import gateway_service_pb2, grant_pb2
from gen.ingate.keys.v1 import key_service_pb2
from gen.ingate.providers.v1 import route_pb2
from gen.ingate.proxy.v1 import proxy_service_pb2
from ingate.rpc.redact import MAX_DEPTH, MAX_ITEMS, MAX_TEXT, MAX_VALUES, redacted


def test_marked_fields_are_masked():
    """Passwords, secrets and hashes that carry debug_redact do not show, wherever they are."""
    login = auth_service_pb2.LoginRequest(email="a@b.c", password="hunter2")
    assert redacted(login) == {"email": "a@b.c", "password": "***"}
    grant = grant_pb2.Grant(org_id="o", routes=[route_pb2.Route(name="r", api_key="plain")])
    assert redacted(gateway_service_pb2.AdmitResponse(grant=grant)) == {
        "grant": {"org_id": "o", "routes": [{"name": "r", "api_key": "***"}]}
    }
    assert redacted(gateway_service_pb2.AdmitRequest(key_hash=b"\1" * 32)) == {"key_hash": "***"}


def test_headers_are_masked_by_name_and_by_look():
    """A header list and a header map show what is harmless and nothing else."""
    header = proxy_service_pb2.Header
    request = proxy_service_pb2.ForwardRequest(
        headers=[
            header(name="Authorization", value="Basic abc"),
            header(name="x-custom", value="Bearer abcdef"),
            header(name="accept", value="*/*"),
        ]
    )
    assert [item["value"] for item in redacted(request)["headers"]] == ["***", "Bearer ***", "*/*"]
    route = route_pb2.Route(headers={"X-Api-Key": "abc", "x-other": "sk-ingate-abcdefgh", "plain": "yes"})
    assert redacted(route)["headers"] == {"X-Api-Key": "***", "x-other": "sk-ingate-***", "plain": "yes"}


def test_bytes_show_their_length_and_enums_their_name():
    """Bodies are counted, numbers of enums are named where known."""
    assert redacted(proxy_service_pb2.ForwardRequest(body=b"x" * 1000)) == {"body": "<1000 bytes>"}
    assert redacted(key_service_pb2.CreateKeyRequest(role=2, scopes=[1, 99])) == {
        "role": "ROLE_MEMBER",
        "scopes": ["SCOPE_PROXY", 99],
    }


def test_everything_is_bounded():
    """Long texts, long lists, deep messages and masses of values are cut."""
    long = redacted(auth_service_pb2.LoginRequest(email="x" * 100_000))
    assert long["email"] == "x" * MAX_TEXT + "…"
    many = redacted(gateway_service_pb2.WatchResponse(org_ids=["o"] * 1000))
    assert many["org_ids"] == ["o"] * MAX_ITEMS + ["… 1000 items"]
    wide = redacted(route_pb2.Route(headers={str(n): "v" for n in range(1000)}))
    assert len(wide["headers"]) == MAX_ITEMS + 1
    deep = descriptor_pb2.DescriptorProto()
    inner = deep
    for _ in range(50):
        inner = inner.nested_type.add(name="n")
    assert str(redacted(deep)).count("nested_type") == MAX_DEPTH
    grant = grant_pb2.Grant(
        routes=[route_pb2.Route(headers={str(n): "v" for n in range(30)}, models=["m"] * 30) for _ in range(30)]
    )
    assert len(str(redacted(grant))) < MAX_VALUES * 20


def test_a_secret_at_the_cut_does_not_show_its_first_half():
    """A text is masked before it is cut."""
    text = "x" * (MAX_TEXT - 15) + " sk-ingate-" + "Z" * 43
    assert "ZZ" not in redacted(auth_service_pb2.LoginRequest(email=text))["email"]
