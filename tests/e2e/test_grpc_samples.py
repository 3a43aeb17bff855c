"""The programs of docs/grpc.md, generated, built and run as the page says."""

import re
import shutil
import uuid

import pytest

from tests.support.documents import named_sample
from tests.support.gateway import demo_gateway
from tests.support.node import find_node
from tests.support.tools import BUF, ROOT, run
from tests.support.typescript import OLDEST_NODE, build

PAGE = ROOT / "docs" / "grpc.md"
LISTED = re.compile(r"listed \d+ (\S+)")

# The first run in a checkout fetches packages.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with demo_gateway(tmp_path_factory.mktemp("data")) as gateway:
        yield gateway


@pytest.fixture
def check(gateway):
    """A function: it runs a program and looks at what it prints, which is the same in every language."""

    def ran(argv, **variables):
        places = {"INGATE_GRPC": gateway.grpc, "INGATE_KEY": gateway.key, **variables}
        first, *answer, last = run(["env", *(f"{name}={value}" for name, value in places.items()), *argv]).splitlines()
        status, forwarded = first.split()
        listed = LISTED.fullmatch(last)[1]
        assert status == "200"
        assert "chat.completion" in "".join(answer)
        assert len({uuid.UUID(forwarded), uuid.UUID(listed)}) == 2

    return ran


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """The interpreter of an environment that has no package named ingate, and what is generated for it."""
    python, client = BUF.with_name("python"), tmp_path_factory.mktemp("client")
    out = [f"-I{ROOT / 'proto'}", f"-I{ROOT / 'third_party'}", f"--python_out={client}", f"--grpc_python_out={client}"]
    found = [path for place in ("proto", "third_party/buf") for path in (ROOT / place).rglob("*.proto")]
    run([python, "-m", "grpc_tools.protoc", *out, *found])
    return python, client


def test_python(check, generated, tmp_path):
    """As the page says."""
    python, client = generated
    (tmp_path / "ask.py").write_text(named_sample(PAGE, "ask.py"))
    check([python, tmp_path / "ask.py"], PYTHONPATH=client)


def test_typed_chats(gateway, generated, tmp_path):
    """An answer, and one more in the same conversation as a stream."""
    python, client = generated
    (tmp_path / "chat.py").write_text(named_sample(PAGE, "chat.py"))
    places = {"INGATE_GRPC": gateway.grpc, "INGATE_KEY": gateway.key, "PYTHONPATH": client}
    seen = run(["env", *(f"{name}={value}" for name, value in places.items()), python, tmp_path / "chat.py"])
    first, *said, last = seen.splitlines()
    provider, request_id, reason = first.split()
    assert (provider, reason) == ("demo", "FINISH_REASON_STOP")
    assert uuid.UUID(request_id)
    assert len(said) >= 2
    assert int(last.removeprefix("used ")) > 0


def test_typescript(check, tmp_path):
    """With the packages that the other client of this language has."""
    sources = tmp_path / "sources"
    sources.mkdir()
    for name in ("ask.ts", "buf.gen.yaml", "tsconfig.json"):
        (sources / name).write_text(named_sample(PAGE, name))
    node = find_node(OLDEST_NODE)
    check([node / "node", build(node, tmp_path / "built", sources, "ask")])


def test_grpcurl(gateway, tmp_path):
    """With reflection and with protos, by whoever has it installed."""
    if shutil.which("grpcurl") is None:
        pytest.skip("grpcurl is not installed")
    script = tmp_path / "calls.sh"
    section = PAGE.read_text().partition("## grpcurl")[2].partition("\n## ")[0]
    script.write_text("set -e\n" + "".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL)))
    seen = run(["env", f"INGATE_GRPC={gateway.grpc}", f"INGATE_KEY={gateway.key}", "sh", script])
    assert "ingate.exchanges.v1.ExchangeService\n" in seen
    assert "GatewayService" not in seen
    assert seen.count('"limit": 1') == 2
    assert '"requestId"' in seen
