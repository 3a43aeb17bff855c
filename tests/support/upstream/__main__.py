"""Serves the default answers in a process of its own, on uvloop: `python -m tests.support.upstream --help`."""

import argparse
import asyncio
import signal

import uvloop

from tests.support.upstream.server import ScriptedUpstream


def main():
    """Reads the options and serves until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.upstream", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; the address is printed")
    parser.add_argument("--events", type=int, default=5, help="pieces of text in a streamed answer")
    parser.add_argument("--interval", type=float, help="seconds between events; without it they are sent in one go")
    parser.add_argument("--think", type=float, help="seconds before the first byte of an answer")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options))


async def _serve(options):
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    style = {"deltas": options.events, "every": options.interval, "think": options.think}
    upstream = ScriptedUpstream(host=options.host, port=options.port, keep=0, **style)
    async with upstream:
        print(f"listening on {upstream.url}", flush=True)  # noqa: T201 - the benchmark reads it
        await stop.wait()
        # A load generator that was cut off in the middle is no failure of the benchmark's upstream.
        upstream.errors.clear()


if __name__ == "__main__":
    main()
