"""A caller of an rpc: `python -m bench.unary_caller HOST:PORT TOKEN CALLS SECONDS`.

Keeps so many calls under way on one connection. Prints one line of JSON: how many were answered.
"""

import asyncio
import json
import sys
import time

import grpc.aio

from gen.ingate.keys.v1.key_service_pb2 import ListKeysRequest
from gen.ingate.keys.v1.key_service_pb2_grpc import KeyServiceStub


async def run(address: str, token: str, calls: int, seconds: float) -> int:
    """Returns what is printed."""
    credential = (("authorization", f"Bearer {token}"),)
    answered = 0
    async with grpc.aio.insecure_channel(address) as channel:
        keys = KeyServiceStub(channel)
        until = time.monotonic() + seconds

        async def keep_calling() -> None:
            nonlocal answered
            while time.monotonic() < until:
                await keys.ListKeys(ListKeysRequest(), metadata=credential)
                answered += 1

        await asyncio.gather(*(keep_calling() for _ in range(calls)))
    return answered


if __name__ == "__main__":
    answers = asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
    print(json.dumps({"answered": answers}))
