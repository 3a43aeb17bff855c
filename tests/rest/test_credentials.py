"""Who the caller says they are, as the core is told."""

import pytest

from tests.rest.laws import lawful

KEY = "sk-ingate-" + "a" * 43
OTHER = "ing_" + "b" * 43
SESSION = "ses-ingate-" + "c" * 43


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("X-Ingate-Key", KEY)], {"x-ingate-key": KEY}),
        ([("X-Ingate-Key", "anything")], {"x-ingate-key": "anything"}),
        ([("Authorization", f"Bearer {KEY}")], {"x-ingate-key": KEY}),
        ([("Authorization", f"bearer   {OTHER}")], {"x-ingate-key": OTHER}),
        ([("Authorization", f"Bearer {SESSION}")], {"authorization": f"Bearer {SESSION}"}),
        ([("Authorization", "Bearer eyJhb.x.y")], {"authorization": "Bearer eyJhb.x.y"}),
        ([("x-api-key", KEY)], {"x-ingate-key": KEY}),
        ([("x-goog-api-key", KEY)], {"x-ingate-key": KEY}),
        ([("X-Ingate-Key", KEY), ("X-Ingate-Key", KEY)], {"x-ingate-key": KEY}),
        ([("X-Ingate-Key", KEY), ("x-api-key", KEY)], {"x-ingate-key": KEY}),
        ([("X-Ingate-Key", KEY), ("Authorization", "Bearer sk-provider")], {"x-ingate-key": KEY}),
        ([("X-Ingate-Key", ""), ("Authorization", f"Bearer {KEY}")], {"x-ingate-key": KEY}),
    ],
)
async def test_credentials(core, stranger, headers, expected):
    """Keys and sessions are found wherever SDKs put them; a provider's credential is not taken for one."""
    response = await stranger.get("/api/v1/keys", headers=headers)

    assert response.status_code == 200
    assert {
        name: core.metadata[name] for name in ("authorization", "x-ingate-key") if name in core.metadata
    } == expected


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-Ingate-Key", "")],
        [("Authorization", "Basic dXNlcjpwYXNz")],
        [("Authorization", "Bearer")],
        [("x-api-key", "sk-ant-provider")],
    ],
)
async def test_without_a_credential(core, stranger, headers):
    """What takes one is refused before the request is looked at; what does not reaches the core without."""
    for query, content in (("", b"{"), ("?x=y", b"{}")):
        response = await stranger.post(f"/api/v1/keys{query}", content=content, headers=headers)
        assert lawful(response)["code"] == "unauthorized"
    assert core.rpc == ""

    response = await stranger.post("/api/v1/auth/login", json={"email": "a@b.cc", "password": "x"}, headers=headers)
    assert response.status_code == 200
    assert not core.metadata.keys() & {"authorization", "x-ingate-key"}


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Ingate-Key", KEY), ("X-Ingate-Key", OTHER)],
        [("X-Ingate-Key", KEY), ("Authorization", f"Bearer {OTHER}")],
        [("X-Ingate-Key", KEY), ("x-api-key", OTHER)],
        [("X-Ingate-Key", KEY), ("Authorization", f"Bearer {SESSION}")],
        [("Authorization", "Bearer a"), ("Authorization", "Bearer b")],
    ],
)
async def test_contradictions(core, stranger, headers):
    """Two different credentials are refused instead of one being picked."""
    response = await stranger.get("/api/v1/keys", headers=headers)

    assert lawful(response)["code"] == "bad_request"
    assert core.rpc == ""
    assert KEY not in response.text


@pytest.mark.parametrize("value", ["a b", "ключ".encode(), b"a\xff", "x" * 4097])
async def test_what_cannot_be_a_credential(core, stranger, value):
    """Blanks, other alphabets and very long values are 401, not a failure of the call."""
    response = await stranger.get("/api/v1/keys", headers={"X-Ingate-Key": value})

    assert lawful(response)["code"] == "unauthorized"
    assert core.rpc == ""


async def test_what_the_core_is_told_beside(core, stranger):
    """The gateway proves itself, and says the caller's address; the caller cannot say either."""
    await stranger.get(
        "/api/v1/keys", headers={"X-Ingate-Key": KEY, "X-Ingate-Gateway": "forged", "X-Ingate-Address": "10.0.0.1"}
    )

    assert core.metadata["x-ingate-gateway"] == "gateway-secret"
    assert core.metadata["x-ingate-address"] == "127.0.0.1"
