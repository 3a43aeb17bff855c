import pytest

from ingate.remembered import CAPACITY, LONGEST, Remembered


def counted(function):
    """A Remembered of `function`, and the list of what that was called with."""
    calls = []
    return Remembered(lambda key: calls.append(key) or function(key), len), calls


def test_asked_once():
    """The function is asked once for each argument, and its result is the same object every time."""
    upper, calls = counted(bytes.upper)
    assert upper[b"ab"] is upper[b"ab"]
    assert calls == [b"ab"]


def test_bounded():
    """Never more than CAPACITY results are held, and none of a long argument."""
    upper, calls = counted(bytes.upper)
    for number in range(3 * CAPACITY):
        assert upper[b"a%d" % number] == b"A%d" % number
        assert len(upper) <= CAPACITY
    long = b"a" * (LONGEST + 1)
    calls.clear()
    assert upper[long] == upper[long] == long.upper()
    assert calls == [long, long]
    assert long not in upper


def test_failures_are_not_remembered():
    """What raises does so each time and leaves nothing."""
    number, calls = counted(int)
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid"):
            number["x"]
    assert calls == ["x", "x"]
    assert not number
