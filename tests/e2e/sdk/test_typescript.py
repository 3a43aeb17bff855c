"""The TypeScript client as it is published, used as docs/clients/typescript.md does."""

import os

import pytest

from scripts.sdk.projects import compile_typescript, fresh
from tests.support.node import find_node
from tests.support.sdk_story import stage, written
from tests.support.typescript import OLDEST_NODE, packages_for

PROGRAMS = ("rest", "ask_grpc")

# The first run in a checkout fetches the packages.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def node():
    return find_node(OLDEST_NODE)


@pytest.fixture(scope="module")
def dist(node, tmp_path_factory):
    """The compiled package, and the page's programs in it, which import it by its published name."""
    project = fresh(tmp_path_factory.mktemp("client"), "typescript")
    (project / "node_modules").symlink_to(packages_for(node))
    for name in PROGRAMS:
        written(project / "src", "typescript", f"{name}.ts")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", f"{node}{os.pathsep}{os.environ['PATH']}")
        compile_typescript(project)
    return project / "dist"


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    with stage(tmp_path_factory.mktemp("data")) as playing:
        yield playing.played


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_the_page(played, node, dist, name):
    """Each makes a key, streams a chat, reads its log entry and revokes the key."""
    played([node / "node", dist / f"{name}.js"])
