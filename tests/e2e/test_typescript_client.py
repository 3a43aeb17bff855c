"""A client in another language needs the protos and nothing else."""

import json

import pytest

from tests.support.builds import run_directory
from tests.support.gateway import demo_gateway
from tests.support.node import find_node
from tests.support.tools import run
from tests.support.typescript import OLDEST_NODE, build

# Its characters are of one to four bytes, so that a chunk may end within one.
QUESTION = "Přijde žluťoučký kůň 🐎 celý?"

# The first run in a checkout fetches the client's packages.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def tell(tmp_path_factory):
    """A function: it has the client live through a story at a gateway, and returns what the client saw."""
    node = find_node(OLDEST_NODE)
    program = build(node, run_directory(tmp_path_factory) / "typescript")
    with demo_gateway(tmp_path_factory.mktemp("data")) as gateway:

        def in_client(story, *words):
            return json.loads(run([node / "node", program, f"http://{gateway.grpc}", story, *words]))

        in_client.gateway = gateway
        yield in_client


def test_a_session_manages_keys(tell):
    """Sign-up answers a session, with which a key is created and listed."""
    seen = tell("manage", "typescript")

    assert seen["org"]["slug"] == "typescript"
    assert seen["user"]["email"] == "owner@typescript.example"
    assert all(secret.startswith("sk-ingate-") for secret in seen["secrets"])
    created = seen["created"]
    assert (created["name"], created["role"], created["scopes"]) == ("typescript", "ROLE_MEMBER", ["SCOPE_PROXY"])
    assert created["rateLimitPerMinute"] == 7
    assert created["createdAt"].endswith("Z")
    # Newest first: the key created, then the one that sign-up made.
    assert seen["total"] == 2
    assert seen["listed"][0] == created


def test_failures_carry_their_reason_and_what_is_wrong_with_which_field(tell):
    """Refusals arrive with google.rpc's ErrorInfo and BadRequest, decoded by the generated classes."""
    invalid, anonymous = tell("refused")

    assert (invalid["code"], invalid["reason"], invalid["domain"]) == ("InvalidArgument", "BAD_REQUEST", "ingate")
    assert set(invalid["violations"]) == {"email", "password"}
    assert all(invalid["violations"].values())
    assert (anonymous["code"], anonymous["reason"]) == ("Unauthenticated", "UNAUTHENTICATED")
    assert anonymous["violations"] == {}


def test_a_streamed_completion_arrives_in_order(tell):
    """Forward streams the head, the pieces of the body as they come, and the end."""
    started, *chunks, ended = tell("chat", tell.gateway.key, QUESTION)

    assert started["status"] == 200
    assert started["headers"]["content-type"].startswith("text/event-stream")
    assert ended == {"complete": True}
    assert len(chunks) > 1
    data = [line.removeprefix("data: ") for line in "".join(chunks).splitlines() if line.startswith("data: ")]
    assert data.pop() == "[DONE]"
    deltas = [choice["delta"] for item in data for choice in json.loads(item)["choices"]]
    assert QUESTION in "".join(delta.get("content") or "" for delta in deltas)
