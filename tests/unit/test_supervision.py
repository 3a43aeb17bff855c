"""A job that dies runs again, and whoever asks is told."""

import asyncio

import pytest
import structlog

from ingate import supervision
from ingate.supervision import OFTEN, Supervisor
from tests.support.waiting import PATIENCE, eventually


@pytest.fixture(autouse=True)
def lines():
    """What is logged; drawn on a terminal, a traceback takes longer than all the rest."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
async def supervisor():
    return Supervisor(first_pause=0.001, longest_pause=0.002)


@pytest.fixture
async def started(supervisor):
    """Returns a function that starts a job, cancelled after the test."""
    tasks = []

    def start(work, **options):
        tasks.append(supervisor.start("some.job", work, **options))
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def dying(times, failure):
    """A job that fails so many times and then runs; `runs` counts."""

    async def work():
        work.runs += 1
        if work.runs <= times:
            if failure is not None:
                raise failure
            return
        await asyncio.Event().wait()

    work.runs = 0
    return work


@pytest.mark.parametrize(
    ("failure", "name"),
    [(ValueError("x"), "ValueError"), (asyncio.CancelledError(), "CancelledError"), (None, "returned")],
)
async def test_a_job_that_dies_runs_again(supervisor, started, lines, failure, name):
    """Whatever it died of: an error, a cancellation that nobody asked for, or that it came to an end."""
    work = dying(1, failure)
    started(work)
    await eventually(lambda: work.runs == 2, 60)
    [job] = supervisor.jobs
    assert (job.name, job.running, job.restarts, job.error) == ("some.job", True, 1, name)
    assert [(line["event"], line["job"]) for line in lines] == [("job_died", "some.job")]


async def test_a_job_that_is_down_is_in_trouble_until_it_runs(started):
    """Between its death and its next life."""
    slow = Supervisor(first_pause=3600)
    task = slow.start("some.job", dying(1, ValueError()))
    await eventually(slow.troubled, 60)
    [job] = slow.troubled()
    assert not job.running
    task.cancel()


async def test_a_job_that_dies_often_is_in_trouble_though_it_runs(supervisor, started):
    """And one that died less often is not."""
    work = dying(OFTEN - 1, ValueError())
    started(work)
    await eventually(lambda: work.runs == OFTEN, 60)
    assert supervisor.troubled() == ()
    work = dying(OFTEN, ValueError())
    started(work)
    await eventually(lambda: work.runs == OFTEN + 1, 60)
    [job] = supervisor.troubled()
    assert job.running


async def test_pauses_grow_and_begin_anew_after_a_steady_time(supervisor, started, monkeypatch):
    """They double up to the longest; a job that ran for a while begins with the first."""
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    monkeypatch.setattr(supervision.asyncio, "sleep", sleep)
    monkeypatch.setattr(supervision.random, "uniform", lambda _low, high: high)
    keeper = Supervisor(first_pause=1.0, longest_pause=3.0)
    work = dying(4, ValueError())
    task = keeper.start("some.job", work)
    while work.runs < 5:
        await asyncio.wait([task], timeout=0)
    task.cancel()
    assert pauses == [1.0, 2.0, 3.0, 3.0]
    pauses.clear()
    monkeypatch.setattr(supervision, "STEADY_SECONDS", 0.0)
    work = dying(3, ValueError())
    task = keeper.start("some.job", work)
    while work.runs < 4:
        await asyncio.wait([task], timeout=0)
    task.cancel()
    assert pauses == [1.0, 1.0, 1.0]


async def test_a_job_that_is_cancelled_ends(started):
    """With its last words."""
    said = []

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            said.append("goodbye")

    task = started(work)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert said == ["goodbye"]


async def test_a_job_that_may_end_ends(supervisor, started):
    """Only where that was said."""
    await asyncio.wait_for(started(dying(1, None), may_end=True), PATIENCE)
    assert supervisor.troubled() == ()
    assert supervisor.jobs == ()
