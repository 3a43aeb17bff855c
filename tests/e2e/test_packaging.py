"""What `pip install .` and a container build make: whole, alone under its name, and running where nothing else is."""

import os
import re
import shutil
import signal
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

from scripts.one_package import relocated
from tests.support.containerfile import command, copied, instructions, variables
from tests.support.gateway import demo_gateway
from tests.support.process import Child
from tests.support.tools import ROOT, run
from tests.support.wheels import OUTSIDE, foreign_wheel, install, pack, wheel

PACKAGES = ("ingate", "gen", "rest_facade")
# Another project's packages of our directories' names, with a module of the same name too.
STRANGER = {
    "gen/__init__.py": "",
    "gen/words.py": "SAID = 'gen'",
    "rest_facade/__init__.py": "",
    "rest_facade/app.py": "SAID = 'rest_facade'",
}
IMPORT_ALL = """
import importlib, pathlib, pkgutil, sys
from gen.words import SAID as gen
from rest_facade.app import SAID as rest_facade
import ingate
for module in pkgutil.walk_packages(ingate.__path__, "ingate."):
    if module.name not in ("ingate.__main__", "ingate.migrations.env"):  # these run when they are imported
        importlib.import_module(module.name)
ours = {name for name in sys.modules if name.partition(".")[0] in ("gen", "rest_facade")}
print(gen, rest_facade, *sorted(ours))
print(pathlib.Path(ingate.__file__).parents[1])
"""


def _files(*paths):
    """Names the files that git tracks or would."""
    listed = run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *paths])
    return {name for name in listed.split() if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return pack(tmp_path_factory.mktemp("packed"))


@pytest.fixture(scope="module")
def place(packed, tmp_path_factory):
    """An environment that the project shares with a stranger."""
    directory = tmp_path_factory.mktemp("environment")
    return install(directory / "venv", foreign_wheel(directory, STRANGER), packed.wheel)


def test_the_sdist_is_what_git_holds(packed):
    """It is the whole project, with its tests, but for what serves git and the CI."""
    with tarfile.open(packed.sdist) as archive:
        held = {member.name.partition("/")[2] for member in archive.getmembers()}

    assert held == {name for name in _files() if not name.startswith(".")} | {".gitignore", "PKG-INFO"}


def test_the_wheel_is_one_package(packed):
    """Everything of the three directories is in it, below `ingate`, and no test."""
    names = set(zipfile.ZipFile(packed.wheel).namelist())
    modules = {name for name in names if ".dist-info/" not in name}

    expected = {name if name.startswith("ingate/") else f"ingate/{name}" for name in _files(*PACKAGES)}
    assert modules == expected
    assert f"ingate-{version('ingate')}.dist-info/METADATA" in names


def test_the_container_builds_the_same_wheel(packed, tmp_path):
    """What the Containerfile copies of a checkout is enough, and the wheel is alike to the byte."""
    for source, target in copied():
        assert f"!{source.partition('/')[0]}" in (ROOT / ".dockerignore").read_text().splitlines()
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copyfile
        copy(ROOT / source, tmp_path / target)

    assert wheel(tmp_path, tmp_path / "dist").read_bytes() == packed.wheel.read_bytes()


def test_the_containerfile_is_good():
    """Hadolint has nothing to say; the process has no rights, and gets the signal that ends the gateway in order."""
    run(["hadolint", "Containerfile"], path=[Path(sys.executable).parent])
    assert instructions("USER")[-1] != "root"
    assert instructions("VOLUME") == [variables()["INGATE_DATA_DIR"]]
    assert instructions("STOPSIGNAL") == ["SIGTERM"]


def test_the_container_runs(place, tmp_path):
    """Its command serves, its health check tells whether it does, and its signal ends it."""
    settings = {"INGATE_DATA_DIR": str(tmp_path), "INGATE_PORT": "0", "INGATE_GRPC_PORT": "0"}
    env = {**variables(), "PATH": f"{place.command.parent}:{os.environ['PATH']}", **settings, **OUTSIDE}
    check = command("HEALTHCHECK")
    with Child([*command("ENTRYPOINT"), *command("CMD")], env=env, cwd=tmp_path) as child:
        env["INGATE_PORT"] = port = child.expect(r"is ready: http://127\.0\.0\.1:(\d+)", timeout=60)[1]
        assert httpx.get(f"http://127.0.0.2:{port}/healthz").is_success, "a container is called by its other addresses"
        run(check, env=env)
        child.signal(signal.Signals[instructions("STOPSIGNAL")[0]])
        assert child.wait(timeout=30) == 0
    with pytest.raises(AssertionError, match="Connection refused"):
        run(check, env=env)


def test_its_modules_are_its_own(place):
    """Each module imports where another project has a `gen` and a `rest_facade`, which stay that project's."""
    said, where = run([place.python, "-I", "-c", IMPORT_ALL]).splitlines()

    assert said == "gen rest_facade gen gen.words rest_facade rest_facade.app"
    assert where == str(place.packages)


def test_it_answers(place, tmp_path):
    """`ingate serve --demo` answers a chat, and the documented gRPC call works with the stubs of the wheel."""
    with demo_gateway(tmp_path, env=OUTSIDE, command=[place.command]) as running:
        answer = httpx.post(
            f"{running.url}/v1/chat/completions",
            headers={"Authorization": f"Bearer {running.key}"},
            json={"model": "demo", "messages": [{"role": "user", "content": "Hello"}]},
        )
        assert answer.json()["choices"][0]["message"]["content"]
        assert httpx.get(f"{running.url}/api/v1/openapi.json").json()["info"]["version"] == version("ingate")
        document = (ROOT / "docs" / "getting-started.md").read_text()
        [sample] = re.findall(r"```python\n(import grpc\n.*?)```", document, re.DOTALL)
        assert "127.0.0.1:50051" in sample
        script = sample.replace("127.0.0.1:50051", running.grpc).replace("from gen.", "from ingate.gen.")
        assert run([place.python, "-I", "-c", script]).strip()


@pytest.mark.parametrize("module", [False, True], ids=["ingate", "python -m ingate"])
def test_its_commands(place, tmp_path, module):
    """The command and the module run in a directory that has a `gen` of its own."""
    for name, text in STRANGER.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    ingate = [place.python, "-m", "ingate"] if module else [place.command]

    assert run([*ingate, "--version"], cwd=tmp_path, env=OUTSIDE).split()[-1] == version("ingate")
    assert "ingate serve" in run([*ingate, "serve", "--help"], cwd=tmp_path, env=OUTSIDE)


@pytest.mark.parametrize(
    ("line", "follows"),
    [
        ("from gen.ingate.keys.v1 import key_pb2 as gen", "from ingate.gen.ingate.keys.v1 import key_pb2 as gen"),
        ("from rest_facade import cors", "from ingate.rest_facade import cors"),
        ("import rest_facade.app as é, gen as x", "import ingate.rest_facade.app as é, ingate.gen as x"),
        ('é = {"é": "rest_facade.cors:parse"}', 'é = {"é": "ingate.rest_facade.cors:parse"}'),
        ("from genai_prices import gen; gen.ingate", "from genai_prices import gen; gen.ingate"),
        ('from .gen import x  # "gen.x" of "gen. x"', 'from .gen import x  # "gen.x" of "gen. x"'),
    ],
)
def test_what_names_a_moved_package_follows(line, follows):
    """Imports and references to functions follow, in their lines; nothing else changes."""
    before, after = (f"if True:\n  if True:\n    {text}\n" for text in (line, follows))
    assert relocated(before.encode(), "x.py").decode() == after


@pytest.mark.parametrize("line", ["import gen", "import gen.ingate", "import os, rest_facade.app"])
def test_an_import_that_cannot_follow(line):
    """An import that would bind another name in the wheel stops the build, and is named."""
    with pytest.raises(ValueError, match=r"^x\.py:2: import \S+ needs `as` or `from`"):
        relocated(f"\n{line}\n".encode(), "x.py")
