"""Jobs that run as long as the process does: one that dies is logged and begins again, after a pause that grows.

Knows no job. A job is a coroutine function; it is called anew each time, so it must bear to begin where it ended.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import structlog

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
"""A job that ran for so long before it died begins again after the first pause."""
OFTEN = 3
OFTEN_SECONDS = 300.0
"""A job that died `OFTEN` times within so many seconds is in trouble, though it may be running."""

_log = structlog.get_logger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Job:
    """A job as it stands: whether it runs, how often it began again, and the type of what it died of last."""

    name: str
    running: bool = True
    restarts: int = 0
    error: str = ""
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=OFTEN))

    def troubled(self, now: float) -> bool:
        """Whether it is down, or dies too often; `now` is the loop's clock."""
        often = len(self.deaths) == OFTEN and now - self.deaths[0] < OFTEN_SECONDS
        return not self.running or often


class Supervisor:
    """Keeps jobs running. Belongs to the running loop."""

    def __init__(self, *, first_pause: float = FIRST_PAUSE, longest_pause: float = LONGEST_PAUSE) -> None:
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._jobs: list[Job] = []

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Every job that is not over, in the order in which they were started."""
        return tuple(self._jobs)

    def troubled(self) -> tuple[Job, ...]:
        """Returns the jobs that are down or die too often."""
        now = asyncio.get_running_loop().time()
        return tuple(job for job in self._jobs if job.troubled(now))

    def start(self, name: str, work: Work, *, may_end: bool = False) -> "asyncio.Task[None]":
        """Runs a job in a task of its own, which ends when it is cancelled.

        A job that returns is over where it `may_end`, and has died like one that raises where not.
        """
        job = Job(name)
        self._jobs.append(job)
        return asyncio.create_task(self._keep(job, work, may_end=may_end), name=name)

    async def _keep(self, job: Job, work: Work, *, may_end: bool) -> None:
        clock = asyncio.get_running_loop().time
        pause = self._first_pause
        while True:
            began = clock()
            failure: BaseException | None = None
            try:
                await work()
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                failure = error  # nobody has cancelled this task: it came from what the job waited for
            except Exception as error:  # noqa: BLE001 -- whatever it died of, it is to run again
                failure = error
            if failure is None and may_end:
                self._jobs = [other for other in self._jobs if other is not job]
                return
            if clock() - began >= STEADY_SECONDS:
                pause = self._first_pause
            job.running, job.error = False, type(failure).__name__ if failure else "returned"
            job.deaths.append(clock())
            _log.error("job_died", job=job.name, restarts=job.restarts, pause=round(pause, 3), exc_info=failure)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter is no secret
            pause = min(pause * 2, self._longest_pause)
            job.restarts += 1
            job.running = True
