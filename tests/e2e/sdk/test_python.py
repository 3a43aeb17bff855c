"""The Python clients as they are published: installed from their wheels, and used as docs/clients/python.md does."""

import sys
import zipfile

import pytest

from scripts.sdk.projects import python_grpc, python_rest
from tests.support.sdk_story import stage, written
from tests.support.tools import run


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A directory of what is in both wheels, to be imported from."""
    directory = tmp_path_factory.mktemp("clients")
    for project in (python_rest(directory), python_grpc(directory)):
        [wheel] = (project / "dist").glob("*.whl")
        zipfile.ZipFile(wheel).extractall(directory / "packages")
    return directory / "packages"


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    with stage(tmp_path_factory.mktemp("data")) as playing:
        yield playing.played


@pytest.mark.parametrize("name", ["rest.py", "rest_async.py", "ask_grpc.py"])
def test_a_program_of_the_page(played, installed, tmp_path, name):
    """Each makes a key, streams a chat, reads its log entry and revokes the key."""
    played([sys.executable, "-W", "error", written(tmp_path, "python", name)], PYTHONPATH=str(installed))


def test_the_grpc_package_gets_along_with_the_server(installed):
    """The same messages are registered by both in one process."""
    both = "import gen.ingate.keys.v1.key_service_pb2 as ours, ingate_grpc.ingate.keys.v1.key_service_pb2 as theirs\n"
    check = "assert theirs.CreateKeyRequest.FromString(ours.CreateKeyRequest(name='x').SerializeToString()).name == 'x'"
    run([sys.executable, "-c", both + check], env={"PYTHONPATH": f"{installed}:."})
