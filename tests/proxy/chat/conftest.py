"""A gateway, and ChatService on both transports."""

import pytest_asyncio

from gen.ingate.chat.v1.chat_service_pb2_grpc import ChatServiceStub
from tests.support.gateway import gateway


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gw():
    async with gateway(on_disconnect="cancel") as gw:
        yield gw


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["inprocess", "socket"])
async def stub(request, gw):
    return ChatServiceStub(gw.core.channel if request.param == "inprocess" else await gw.channel())


@pytest_asyncio.fixture(loop_scope="module")
async def org(gw, up):
    org = await gw.signup()
    await org.provider("openai", "openai", up.url, api_key="sk-upstream-secret", timeout_ms=1000)
    return org
