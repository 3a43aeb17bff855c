"""The bound of descriptors: raised as far as it goes, and shared between callers and everything else."""

import resource
import subprocess
import sys

import pytest

from ingate.net.descriptors import Room, room

RAISED = """
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
from ingate.net import descriptors
made = descriptors.make_room()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
assert made == descriptors.room(hard)
"""


def test_the_soft_limit_is_raised():
    """To the hard one, which callers' share is taken of."""
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] > 256
    subprocess.run([sys.executable, "-c", RAISED], check=True)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(1_000_000, Room(750_000, 875_000)), (1024, Room(768, 896)), (200, Room(136, 168)), (100, Room(50, 75))],
)
def test_what_callers_may_take(limit, expected):
    """A quarter is kept for providers, database and journal, at least 64, but never more than half."""
    assert room(limit) == expected
