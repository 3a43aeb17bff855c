"""What is refused before any rpc is called, and in which words."""

import json

import pytest

from tests.rest.laws import lawful


async def refused(core, response, status, message=None):
    body = lawful(response)
    assert response.status_code == status
    assert core.rpc == ""
    if message is not None:
        assert message in body["message"]
    return body


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("foo=1", "foo is not a query parameter of this route"),
        ("limit=1&limit=2", "limit must be given once"),
        ("limit=x", "limit must be an integer"),
        ("limit=", "limit must be an integer"),
        ("limit=99999999999", "limit must be between"),
        ("a%00b=1", "is not a query parameter"),
        ("limit=%zz", "percent-encoded"),
        ("limit=%ff", "percent-encoded"),
        ("key=abc", "X-Ingate-Key"),
        ("api_key=sk-ingate-abc", "X-Ingate-Key"),
        ("k%65y=abc", "X-Ingate-Key"),
        ("x" * 5000 + "=1", "is not a query parameter"),
    ],
)
async def test_queries(core, client, query, message):
    """Unknown, repeated, malformed and mistyped parameters are 400 naming the parameter."""
    body = await refused(core, await client.get(f"/api/v1/keys?{query}"), 400, message)

    assert len(body["message"]) < 300
    assert "sk-ingate" not in json.dumps(body)


async def test_misfits_have_details(core, client):
    """The field and its problem are said apart, too."""
    body = await refused(core, await client.post("/api/v1/keys", json={"name": "n", "scopes": ["read", "x"]}), 400)

    assert body["details"] == [
        {
            "field": "scopes[1]",
            "message": "must be one of proxy, ingest, read, write, admin, keys",
            "reason": "unknown_value",
        }
    ]


async def test_everything_that_is_wrong_is_said_at_once(core, client):
    """Of query and body, of what does not fit and of what breaks a rule; the message is the first."""
    wrong = {"scopes": ["x", "read", 1], "nope": 1, "rate_limit_per_minute": -5, "expires_at": "now"}
    body = await refused(core, await client.post("/api/v1/keys?page=2", json=wrong), 400)
    assert [it["field"] for it in body["details"]] == [
        *("page", "scopes[0]", "scopes[2]", "nope", "expires_at", "name", "rate_limit_per_minute")
    ]
    assert body["message"].startswith("page ")
    assert [it["reason"] for it in body["details"]] == [
        *("unknown_field", "unknown_value", "unknown_value", "unknown_field", "bad_format", "required", "out_of_range")
    ]

    body = await refused(core, await client.get("/api/v1/keys?limit=x&page=1&offset=-1&limit=2"), 400)
    assert [it["field"] for it in body["details"]] == ["limit", "page", "offset"]

    wrong = {"name": None, "scopes": [None], "expires_at": "now", "nope": []}
    body = await refused(core, await client.put("/api/v1/keys/k", json=wrong), 400)
    assert [it["field"] for it in body["details"]] == ["scopes[0]", "expires_at", "nope", "name"]

    many = {f"no{n}": n for n in range(100)}
    assert len((await refused(core, await client.post("/api/v1/keys", json=many), 400))["details"]) == 16


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not valid JSON"),
        (b'{"name":"\xff"}', "UTF-8 at byte 9"),
        (b"[]", "JSON object"),
        (b'{"nam":1}', "nam is not a known field"),
        (b'{"name":' + b"[" * 1000 + b"]" * 1000 + b"}", "nested deeper than 64"),
        (b'{"name":' + b"[" * 5000 + b"]" * 5000 + b"}", "more than 4096 members and items"),
        (b'{"name":"a","name":"a"}', "name must be given once"),
        (b'{"name":"' + b"x" * 50_000 + b'"}', "name must have at most"),
        (b'{"name":"a","scopes":[' + b'"read",' * 16 + b'"read"]}', "scopes must have at most 16 items"),
    ],
)
async def test_bodies(core, client, content, message):
    """Malformed bodies and unknown fields are 400 saying where."""
    response = await client.post("/api/v1/keys", content=content, headers={"content-type": "application/json"})

    await refused(core, response, 400, message)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/vnd.api+json", None],
)
async def test_json_media_types(core, client, content_type):
    """JSON under any of its names is taken, and so is a body that says nothing."""
    headers = {"content-type": content_type} if content_type else {}
    response = await client.post("/api/v1/keys", content=b'{"name":"x"}', headers=headers)

    assert response.status_code == 201
    assert core.request.name == "x"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
async def test_other_media_types(core, client, content_type):
    """Anything else is 415."""
    response = await client.post("/api/v1/keys", content=b'{"name":"x"}', headers={"content-type": content_type})

    await refused(core, response, 415, "application/json")


async def test_compressed_bodies(core, client):
    """A compressed body is not unpacked, so it cannot explode."""
    response = await client.post("/api/v1/keys", content=b"x", headers={"content-encoding": "gzip"})

    await refused(core, response, 415, "compressed")


async def test_a_body_on_a_route_that_takes_none(core, client):
    """JSON on a GET is refused; blank, empty and null bodies, which SDKs send, are nothing."""
    await refused(core, await client.request("GET", "/api/v1/keys", json={"limit": 5}), 400, "takes no body")
    for content in (b"", b" ", b"{}", b"null"):
        response = await client.request("DELETE", "/api/v1/keys/x", content=content)
        assert response.status_code == 204


async def test_the_body_may_repeat_the_path(core, client):
    """A field that the path states may be in the body if it says the same."""
    response = await client.put("/api/v1/providers/p", json={"name": "p", "enabled": False})
    assert response.status_code == 200
    assert core.request.name == "p"

    core.rpc = ""
    await refused(core, await client.put("/api/v1/providers/p", json={"name": "q"}), 400, "name differs from the path")
    await refused(core, await client.put("/api/v1/providers/p", json={"name": 5}), 400, "name differs from the path")


async def test_queries_beside_bodies(core, client):
    """A route whose body is everything takes no query."""
    await refused(core, await client.post("/api/v1/keys?name=x", json={}), 400, "name is not a query parameter")


async def test_too_large(core, client):
    """A body beyond the limit is 413, announced or not, and the limit itself passes."""
    fits = b'{"name":"x"}'.ljust(100_000)
    assert (await client.post("/api/v1/keys", content=fits)).status_code == 201

    core.rpc = ""

    async def chunks():
        for _ in range(4):
            yield b"x" * 30_000

    for content in (fits + b" ", chunks()):
        response = await client.post("/api/v1/keys", content=content)
        await refused(core, response, 413, "larger than 100000 bytes")
