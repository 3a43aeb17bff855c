"""What the clients of another language made of their tasks."""

import asyncio
import json

from tests.e2e.clients.expectations import CLIENTS
from tests.e2e.clients.programs import command
from tests.e2e.clients.situations import tasks
from tests.support.builds import alone

_SECONDS = 600


def results(language, directory):
    """Returns the results of all tasks of a language, by their ids.

    directory: where they are kept for whoever asks again, another worker of the same run too. Raises
    `programs.Missing`, and AssertionError when the program fails.
    """
    program = command(language)
    directory.mkdir(exist_ok=True)
    kept = directory / "results"
    with alone(directory):
        if not kept.exists():
            kept.write_bytes(asyncio.run(_results(language, program)))
    return {result.pop("id"): result for result in map(json.loads, kept.read_text().splitlines())}


async def _results(language, program):
    async with tasks(CLIENTS[language]) as asked:
        lines = "".join(json.dumps(task) + "\n" for task in asked).encode()
        process = await asyncio.create_subprocess_exec(
            *program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            output, errors = await asyncio.wait_for(process.communicate(lines), _SECONDS)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode or output.count(b"\n") != len(asked):
        raise AssertionError(f"{language} ended with {process.returncode}: {errors.decode()[-2000:]}")
    return output
