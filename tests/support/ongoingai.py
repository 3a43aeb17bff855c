"""OngoingAI's gateway keys as a test calls them, and what the dialect says of them."""

KEY = "X-OngoingAI-Gateway-Key"
KEYS = "/api/gateway-keys"
NO_PERMISSION = "gateway key does not have required permission"
FIXED = "gateway key mutations are not supported by this config store"


def said(answer):
    """What an error is about: its status and message."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-ongoingai-correlation-id"]
    return answer.status_code, answer.json()["error"]


async def call(http, secret, method, path=KEYS, **options):
    headers = {KEY: secret} if secret else {}
    return await http.request(method, path, headers={**headers, **options.pop("headers", {})}, **options)
