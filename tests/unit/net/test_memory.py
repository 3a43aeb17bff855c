"""Memory: a large block that is freed is the system's again, a smaller one stays."""

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

KEPT = """
import resource
from ingate.net import memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

memory.settle()
before = faults()
for _ in range(200):
    several = [bytes([1]) * 200_000 for _ in range(4)]
    del several
assert faults() - before < 2000, faults() - before
"""


@pytest.mark.skipif(sys.platform != "linux", reason="figures of a process come from /proc")
def test_what_is_freed_is_given_back():
    """Large blocks at once, the others when it is asked for."""
    subprocess.run([sys.executable, "-c", GIVEN_BACK], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="only the C library of Linux is told")
def test_bodies_find_the_memory_of_those_before_them():
    """Blocks of the size of bodies are used again without asking the system for their pages each time."""
    subprocess.run([sys.executable, "-c", KEPT], check=True)


TIDE = """
from ingate.net import memory

memory.settle()
trimmer = memory.Trimmer()
before = memory.resident()
assert not trimmer.trim()
for _ in range(2):
    first, second = ([bytes([1]) * 100_000 for _ in range(600)] for _ in range(2))
    last = bytes([1]) * 100_000
    del first
    assert trimmer.trim()
    del second  # what goes later is given back too, though memory has not grown again
    assert memory.resident() - before > memory.MUCH
    assert trimmer.trim()
    assert memory.resident() - before < memory.MUCH
    tries = 2
    while trimmer.trim():
        tries += 1
    assert tries == memory.TIMES
needed = [bytes([1]) * 100_000 for _ in range(600)]
while trimmer.trim():
    pass
assert not trimmer.trim(), "what stays is needed"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="figures of a process come from /proc")
def test_memory_is_given_back_after_every_peak():
    """And only then."""
    subprocess.run([sys.executable, "-c", TIDE], check=True)
