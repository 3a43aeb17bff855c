import asyncio

from tests.support.gateway import gateway
from tests.support.upstream import JSON, ScriptedUpstream, respond
from tests.support.waiting import PATIENCE


async def test_a_connection_takes_one_proxied_request_after_another():
    """Answers that announce no end of the connection leave it open, whole and streamed ones alike."""
    async with gateway(demo=True) as gw:
        org = await gw.signup()
        host, _, port = gw.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            for stream in ("false", "true", "false"):
                body = f'{{"model":"demo","stream":{stream},"messages":[{{"role":"user","content":"Hi"}}]}}'.encode()
                head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Ingate-Key: {org.key}\r\n"
                writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
                assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
                assert b"connection: close" not in answer.lower()
                await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), PATIENCE)
        finally:
            writer.close()
            await writer.wait_closed()


async def test_each_request_has_the_headers_of_its_own():
    """Heads are remembered; what differs between them goes on and on record with its own request and no other."""
    async with ScriptedUpstream() as up, gateway(grpc=False) as gw:
        org = await gw.signup()
        await org.provider("p", "openai", up.url)
        up.script(lambda _: True, respond(200, JSON, b"{}"))
        for number in range(4):
            headers = {"traceparent": f"00-{number}"} if number < 3 else {"x-user-tag": "a"}
            await org.http.post("/v1/chat/completions", headers=headers, json={"model": "m", "messages": []})

        traces = [request.header("traceparent") for request in up.requests]
        assert traces == [b"00-0", b"00-1", b"00-2", None]
        assert up.requests[-1].header("x-user-tag") is None
        shown = [(await org.log(it["request_id"]))["request_headers"] for it in await org.logs()]
        assert [it.get("traceparent") for it in reversed(shown)] == ["00-0", "00-1", "00-2", None]
        assert shown[0]["x-user-tag"] == "a"
