from ingate.sampling import Sampler


def test_some_go_through_in_a_time_and_the_next_says_how_many_did_not():
    """The time begins with its first event, and what was held back is told once."""
    now = [100.0]
    sampler = Sampler(2, 10.0, lambda: now[0])
    assert [sampler.take() for _ in range(5)] == [0, 0, None, None, None]
    now[0] = 109.9
    assert sampler.take() is None
    now[0] = 110.0
    assert [sampler.take() for _ in range(3)] == [4, 0, None]
    now[0] = 500.0
    assert sampler.take() == 1
