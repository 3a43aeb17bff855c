"""What holds for every answer of the Ingate dialect, stated once."""

import json
import re

from rest_facade.answer_headers import SECURITY

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
JSON, EVENTS = "application/json; charset=utf-8", "text/event-stream"
CODES = {
    400: {"bad_request", "injection_detected"},
    401: {"unauthorized"},
    403: {"forbidden"},
    404: {"not_found"},
    405: {"method_not_allowed"},
    408: {"bad_request"},
    409: {"conflict"},
    413: {"payload_too_large"},
    414: {"bad_request"},
    415: {"bad_request"},
    422: {"validation_error"},
    429: {"rate_limited", "budget_exceeded"},
    431: {"bad_request"},
    500: {"internal"},
    502: {"provider_error"},
    503: {"unavailable"},
    504: {"provider_timeout"},
    507: {"storage_full"},
}


def check(status, headers, body, head=False):
    """Holds an answer to the laws: security headers, request id, content type, error body, the headers errors owe."""
    names = {name.lower(): value for name, value in headers.items()}
    for name, value in SECURITY.items():
        assert names[name.lower()] == value, name
    assert UUID7.fullmatch(names["x-ingate-request-id"])
    assert "aiohttp" not in names.get("server", "")
    if body or head:
        types = {JSON, EVENTS} if status == 200 else {JSON}
        assert status == 204 or names.get("content-type") in types
    if status >= 400 and not head:
        error = json.loads(body)
        assert error["code"] in CODES[status]
        told = error["error"]
        # A vendor's clients find it inside.
        assert error["message"] == (told["message"] if isinstance(told, dict) else told)
        assert error["code"] == error["error_code"]
        assert error["request_id"] == names["x-ingate-request-id"]
    assert (status == 401) == ("www-authenticate" in names)
    assert (status == 405) <= ("allow" in names) <= (status in {204, 405})
    assert (status in {429, 503}) == ("retry-after" in names)
    if status == 204 or head:
        assert body == b""


def lawful(response):
    """Holds an httpx response to the laws and returns its JSON, None where there is no body."""
    head = response.request.method == "HEAD"
    check(response.status_code, response.headers, response.content, head)
    return response.json() if response.content else None
