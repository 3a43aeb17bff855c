import os
import signal
import sys

import pytest

from tests.support import proctree
from tests.support.process import Child, LineNotSeen, ingate_argv
from tests.support.waiting import eventually

FAMILY = """
import subprocess, sys, time
burn = "import time\\nend = time.process_time() + 0.2\\nwhile time.process_time() < end: pass\\n"
subprocess.run([sys.executable, "-c", burn])
hog = "import time; block = bytearray(b'x') * 60_000_000; print('grown', flush=True); time.sleep(600)"
kid = subprocess.Popen([sys.executable, "-c", hog], start_new_session="--stray" in sys.argv)
print("kid", kid.pid, flush=True)
time.sleep(600)
"""


def python(code, *args, **options):
    return Child([sys.executable, "-c", code, *args], **options)


def test_lines_of_both_streams_are_collected():
    """Output is kept in order with its stream; exit codes come back."""
    with python("import sys; print('out'); print('err ü', file=sys.stderr); sys.exit(3)") as child:
        assert child.wait() == 3
        assert {(line.stream, line.text) for line in child.lines} == {("stdout", "out"), ("stderr", "err ü")}
        assert child.expect(r"e(r+) ").group(1) == "rr"


async def test_a_line_is_awaited_and_its_absence_told():
    """A child that ends without the line fails the wait at once, with its last output in the message."""
    with python("print('hello'); import sys; sys.stderr.write('no line end')") as child:
        assert (await child.expect_line("hel+o")).group() == "hello"
        with pytest.raises(LineNotSeen, match="no line end"):
            await child.expect_line("never", timeout=60)
        assert await child.wait_exit() == 0


def test_much_output_neither_blocks_nor_piles_up():
    """More than a pipe holds, on one endless line and on many, is read on and bounded."""
    code = "import sys; sys.stdout.write('x' * 3_000_000)\nfor n in range(60_000): print('line', n)"
    with python(code) as child:
        child.expect("line 59999$", timeout=30)
        assert child.wait() == 0
        assert len(child.lines) == 20_000


def test_waiting_for_a_silent_child_times_out():
    """Neither wait hangs; the child is still there to be killed."""
    with python("import time; time.sleep(600)") as child:
        with pytest.raises(LineNotSeen, match="exit code None"):
            child.expect("x", timeout=0.01)
        with pytest.raises(AssertionError, match="still running"):
            child.wait(timeout=0.01)
    assert child.returncode == -signal.SIGKILL


@pytest.mark.parametrize("flags", [(), ("--stray",)])
async def test_the_whole_tree_is_measured_and_killed(flags):
    """CPU time of a reaped child and memory of a living one count; descendants die, in the group or out of it."""
    with python(FAMILY, *flags) as child:
        kid = int((await child.expect_line(r"kid (\d+)")).group(1))
        await child.expect_line("grown")
        assert child.cpu_seconds() >= 0.2
        assert child.rss_bytes() > 60_000_000
        assert child.open_files() >= 6
        assert proctree.alive(kid)
    await eventually(lambda: not proctree.alive(kid))
    child.kill()
    assert child.cpu_seconds() == 0


async def test_a_dead_leader_leaves_no_group_behind():
    """Grandchildren are killed although the child itself was killed and reaped before."""
    with python(FAMILY) as child:
        kid = int(child.expect(r"kid (\d+)").group(1))
        child.signal(signal.SIGKILL)
        await eventually(lambda: child.returncode == -signal.SIGKILL)
        assert proctree.alive(kid)
    await eventually(lambda: not proctree.alive(kid))


def test_the_environment_is_laid_over_ours(monkeypatch, tmp_path):
    """Variables are added and removed; the working directory is chosen."""
    monkeypatch.setenv("REMOVED", "1")
    code = "import os; print(os.environ.get('REMOVED'), os.environ['ADDED'], os.getcwd())"
    with python(code, env={"ADDED": "2", "REMOVED": None}, cwd=tmp_path) as child:
        assert child.expect(f"^None 2 {os.path.realpath(tmp_path)}$")


def test_the_cli_is_named_ingate():
    """The argv runs the project's entry point with its arguments."""
    argv = ingate_argv("serve", "--port", "0")
    assert argv[0] == sys.executable
    assert argv[-3:] == ["serve", "--port", "0"]
