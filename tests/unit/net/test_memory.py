"""Memory: a large block that is freed is the system's again."""

import subprocess
import sys

import pytest

GIVEN_BACK = """
import re
from ingate.net import memory

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024

memory.settle()
bytes(30 << 20)  # from here on the C library would keep blocks of that size
before = resident()
pieces = [bytes([1]) * 100_000 for _ in range(600)]
last = bytes([1]) * 100_000  # so that the heap cannot shrink from its end
large = [bytes([1]) * (8 << 20) for _ in range(8)]
assert resident() - before > 100, resident() - before
del large
assert resident() - before < 75, resident() - before
del pieces
memory.give_back()
assert resident() - before < 15, resident() - before
"""


@pytest.mark.skipif(sys.platform != "linux", reason="figures of a process come from /proc")
def test_what_is_freed_is_given_back():
    """Large blocks at once, the others when it is asked for."""
    subprocess.run([sys.executable, "-c", GIVEN_BACK], check=True)
