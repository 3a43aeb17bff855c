import asyncio

from tests.support.gateway import gateway


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
                answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
                assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
                assert b"connection: close" not in answer.lower()
                await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 10)
        finally:
            writer.close()
            await writer.wait_closed()
