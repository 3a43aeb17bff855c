"""Starting: what is wrong is one sentence, what is right is soon there and stays small."""

import asyncio
import errno
import os
import subprocess
import time

import pytest
import pytest_asyncio

from ingate.cli import main
from ingate.config import catalogue
from tests.support.gateway import gateway
from tests.support.outside import ask, client, command, settled, spawn
from tests.support.ports import free_port
from tests.support.postgres import create_database, drop_database, run_sync
from tests.support.small_disk import small_disk
from tests.support.waiting import eventually

LONGEST_START = 5.0
LARGEST = 250 * 1024 * 1024
MODULE = pytest.mark.asyncio(loop_scope="module")
SERVE = ("serve", "--port", "0", "--grpc-port", "0")
SECRET = "hunter2"
HOST = "--host (INGATE_HOST) must be an address of this machine"

SETTINGS = {
    "out of bounds": (["--port", "70000"], {}, None, '--port="70000" must be a whole number from 0 to 65535'),
    "in the environment": (
        [],
        {"INGATE_DATABASE_POOL": "many"},
        None,
        'INGATE_DATABASE_POOL="many" must be a whole number from 1 to 500',
    ),
    "unknown": ([], {}, "prot = 1", 'ingate.toml line 1: "prot" is no setting; do you mean port?'),
    "no key": (["--master-key", SECRET], {}, None, "--master-key must be 32 bytes in base64"),
    "no database": (
        ["--database-url", f"mysql://me:{SECRET}@127.0.0.1/db"],
        {},
        None,
        "--database-url must begin with postgresql:// or sqlite://",
    ),
    "no file": (
        ["--database-url", "sqlite:////proc/none/ingate.db"],
        {},
        None,
        "cannot use the database /proc/none/ingate.db: No such file or directory (check data_dir or database_url)",
    ),
    "no address": (
        ["--host", "192.0.2.1"],
        {},
        None,
        f"cannot listen on 192.0.2.1:0: {os.strerror(errno.EADDRNOTAVAIL)}; {HOST}",
    ),
    "no directory": (
        ["--data-dir", "/proc/none"],
        {},
        None,
        "cannot use the data directory /proc/none: No such file or directory (data_dir)",
    ),
    "no certificate": (
        ["--tls-cert", "/proc/none", "--tls-key", "/proc/none"],
        {},
        None,
        "tls_cert /proc/none cannot be read: No such file or directory",
    ),
    "half of a pair": (
        ["--grpc-tls-key", "x"],
        {},
        None,
        "grpc_tls_cert must be stated beside grpc_tls_key (--grpc-tls-key)",
    ),
}


@pytest.fixture
def sentence(tmp_path, monkeypatch, capsys):
    """Returns a function that runs a command in an empty directory; it must fail with one line, which is returned."""
    monkeypatch.chdir(tmp_path)
    for setting in catalogue():
        monkeypatch.delenv(setting.env, raising=False)
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        assert ended.value.code == 1
        return only_line("".join(capsys.readouterr()))

    return run


def only_line(output):
    """Returns the one line that a failed command says, beside that it made the master key."""
    assert SECRET not in output
    [line] = [line for line in output.splitlines() if "master_key_made" not in line]
    assert line.startswith("ingate: ")
    return line


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def started(tmp_path_factory):
    """A gateway, its data directory, and the seconds of clock and of CPU from its start to readiness."""
    data_dir = tmp_path_factory.mktemp("data")
    with spawn(data_dir):
        pass  # Compiles, migrates and signs up, as once in the life of an installation.
    begun = time.monotonic()
    with spawn(data_dir) as spawned:
        async with client(spawned) as http:
            assert (await http.get("/healthz")).status_code == 200
        yield spawned, data_dir, time.monotonic() - begun, spawned.child.cpu_seconds()


@MODULE
async def test_it_starts_soon_and_stays_small(started, capsys):
    """Seconds to /healthz and resident memory, printed; only gross excess fails, on a busy machine too."""
    spawned, _, seconds, cpu = started
    idle = spawned.child.rss_bytes()
    with capsys.disabled():
        print(  # noqa: T201 -- the measure
            f"\nstart to /healthz {seconds:.2f} s ({cpu:.2f} s of CPU), idle {idle / 2**20:.0f} MiB resident"
        )
    assert cpu < LONGEST_START
    assert idle < LARGEST


@MODULE
async def test_nothing_grows_with_requests(started):
    """Two hundred calls, of which some fail and some are left, leave no file open."""
    spawned, *_ = started
    async with client(spawned) as http:
        await ask(http)
    before = await settled_files(spawned)
    for _ in range(10):
        async with client(spawned) as http:
            await asyncio.gather(*(ask(http, stream=bool(number % 2)) for number in range(16)))
            await asyncio.gather(*(http.post("/v1/nothing", content=b"{") for _ in range(4)))
    await eventually(lambda: spawned.child.open_files() <= before + 2, timeout=10)


async def settled_files(spawned):
    """Returns the open files of a process, once two looks agree."""
    seen = [spawned.child.open_files()]

    def agree():
        seen.append(spawned.child.open_files())
        return seen[-1] == seen[-2]

    await eventually(agree)
    return seen[-1]


async def test_no_task_is_left_behind():
    """After two hundred calls in this process there are as many tasks as before."""
    async with gateway(demo=True, grpc=False) as here:
        org = await here.signup()
        await ask(org.http)
        before = len(asyncio.all_tasks())
        for _ in range(10):
            await asyncio.gather(*(ask(org.http, stream=True) for _ in range(20)))
        await here.settled()
        # Each kept-alive connection has one.
        idle = len(org.http._transport._pool.connections)
        await eventually(lambda: len(asyncio.all_tasks()) <= before + idle)


@MODULE
async def test_two_gateways_share_a_directory(started):
    """The second shows the same key, both serve, each call is on record once, and one survives the other."""
    spawned, data_dir, *_ = started
    with spawn(data_dir) as second:
        assert second.key == spawned.key
        assert second.url != spawned.url
        async with client(spawned) as one, client(second) as other:
            ids = await asyncio.gather(*(ask(http, stream=True) for http in (one, other) * 15))
            second.child.signal()
            assert await second.child.wait_exit(30) == 0
            ids.append(await ask(one))
            await settled(one, ids)
    assert not list((data_dir / "journal").glob("*.corrupt"))


@MODULE
@pytest.mark.parametrize("flag", ["--port", "--grpc-port"])
async def test_a_taken_port_is_said(started, tmp_path, flag):
    """With its number, and without a traceback."""
    spawned, *_ = started
    port = (spawned.url if flag == "--port" else spawned.grpc).rpartition(":")[2]
    with command(*SERVE, "--data-dir", tmp_path, flag, port) as child:
        assert await child.wait_exit(40) == 1
    variable = flag[2:].replace("-", "_").upper()
    assert only_line(child.output) == (
        f"ingate: cannot listen on 127.0.0.1:{port}: the port is taken; choose another with {flag} (INGATE_{variable})"
    )


def test_a_read_only_data_directory_is_called_that(sentence, tmp_path):
    """One on a disk that is, with all in it that a start needs, and one that cannot be made there."""
    with small_disk(tmp_path / "data", 8) as data:
        with command("migrate", "--data-dir", data) as child:
            assert child.wait(60) == 0
        subprocess.run(["mount", "-o", "remount,ro", data], check=True)
        for directory in (data, data / "new"):
            said = sentence(*SERVE, "--data-dir", directory)
            assert said.startswith(f"ingate: the data directory {directory} is read-only for user ")


@pytest.mark.parametrize("wrong", SETTINGS.values(), ids=SETTINGS)
def test_a_wrong_setting_is_one_sentence(tmp_path, monkeypatch, sentence, wrong):
    """The start ends, and the line names what is wrong and what would do."""
    flags, env, file, message = wrong
    if file is not None:
        (tmp_path / "ingate.toml").write_text(f"{file}\n")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert sentence(*SERVE, *flags) == f"ingate: {message}"


def test_an_absent_postgresql_is_named(sentence):
    """Where it was looked for is said, by each command that needs it; the password is not."""
    port = free_port()
    url = f"postgresql://me:{SECRET}@127.0.0.1:{port}/db"
    for words in (SERVE, ("migrate",), ("keys", "list"), ("orgs", "list")):
        said = sentence(*words, "--database-url", url)
        assert said.startswith(f"ingate: cannot use the database db at 127.0.0.1:{port}: ")
        assert said.endswith("(check database_url)")


def test_a_postgresql_that_cannot_be_used_is_told(sentence, postgres_server):
    """A wrong password, a database that does not exist, and one that was not migrated: each with what to do."""
    url = run_sync(create_database(postgres_server))
    user, at = url.split("@")
    wrong = f"{user.rpartition(':')[0]}:{SECRET}@{at}"
    try:
        for address, hint in (
            (wrong, "password authentication failed"),
            (f"{url}_none", "does not exist"),
            (f"{url}?sslmode=require", "rejected SSL upgrade"),
            (f"{url}?application_name=mine&sslmode=prefer", "ingate migrate"),
        ):
            assert hint in sentence(*SERVE, "--database-url", address)
    finally:
        run_sync(drop_database(postgres_server, url))


async def test_doctor_goes_on_without_a_database(tmp_path):
    """It says what does not answer, looks at the rest, and ends with status 1."""
    url = f"postgresql://me:{SECRET}@127.0.0.1:{free_port()}/db"
    with command("doctor", "--data-dir", tmp_path, "--port", "0", "--database-url", url) as child:
        assert await child.wait_exit(30) == 1
    assert "FAIL  cannot use the database db at 127.0.0.1:" in child.output
    assert "ok    journal" in child.output
    assert SECRET not in child.output
