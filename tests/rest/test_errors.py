"""What a failed call becomes."""

import asyncio
import json

import grpc
import pytest
import structlog

from ingate.errors import (
    BadRequest,
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    NotFound,
    ProviderFailed,
    ProviderTimedOut,
    RateLimited,
    StorageFull,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from tests.rest.laws import lawful
from tests.rest.raw import KEY

LIST = "ingate.keys.v1.KeyService.ListKeys"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadRequest, 400, "bad_request"),
        (Unauthenticated, 401, "unauthorized"),
        (Forbidden, 403, "forbidden"),
        (NotFound, 404, "not_found"),
        (Conflict, 409, "conflict"),
        (TooLarge, 413, "payload_too_large"),
        (Invalid, 422, "validation_error"),
        (RateLimited, 429, "rate_limited"),
        (ProviderFailed, 502, "provider_error"),
        (Unavailable, 503, "unavailable"),
        (StorageFull, 507, "storage_full"),
        (ProviderTimedOut, 504, "provider_timeout"),
    ],
)
async def test_domain_errors(core, client, error, status, code):
    """Each error of the domain has its status and code, and keeps its sentence."""
    core.answers[LIST] = error("said by the core")
    response = await client.get("/api/v1/keys")

    body = lawful(response)
    assert (response.status_code, body["code"], body["message"]) == (status, code, "said by the core")


async def test_retry_after_and_rate_headers(core, client):
    """Seconds are rounded up, and the counters of the window are on errors as on successes."""
    core.trailing = (("x-ratelimit-limit", "600"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1775039400"))
    for answer in (RateLimited("too many", retry_after=12.2), None):
        if answer is None:
            del core.answers[LIST]
        else:
            core.answers[LIST] = answer
        response = await client.get("/api/v1/keys")
        lawful(response)
        assert response.headers["x-ratelimit-limit"] == "600"
        assert response.headers["x-ratelimit-remaining"] == "0"
        assert response.headers["x-ratelimit-reset"] == "1775039400"
        if answer is not None:
            assert response.headers["retry-after"] == "13"


async def test_documented_extras(core, client):
    """Documented extra fields are flat, numbers as numbers; other metadata stays inside."""

    class BudgetExceeded(DomainError):
        reason = "BUDGET_EXCEEDED"

    core.answers[LIST] = RateLimited("x")
    core.answers[LIST].reason = BudgetExceeded.reason
    core.answers[LIST].metadata = {
        "budget_id": "b",
        "current_spend": "1002.50",
        "hard_limit_usd": "1000",
        "internal": "no",
    }
    response = await client.get("/api/v1/keys")

    body = lawful(response)
    assert response.status_code == 429
    assert body["code"] == "budget_exceeded"
    assert b'"current_spend":1002.50' in response.content
    assert body["budget_id"] == "b"
    assert "internal" not in body


async def test_fields_become_details(core, client):
    """Fields that the core names are details."""
    core.answers[LIST] = BadRequest.field("limit", "must be at most 200")

    assert lawful(await client.get("/api/v1/keys"))["details"] == [
        {"field": "limit", "message": "must be at most 200", "reason": "invalid"}
    ]


async def test_a_reason_that_is_not_known_falls_back_to_its_code(core, client):
    """A newer core may have reasons that this facade has not: the code decides."""
    core.answers[LIST] = Forbidden("a new kind of no")
    core.answers[LIST].reason = "NEWER"
    response = await client.get("/api/v1/keys")

    assert response.status_code == 403
    assert lawful(response)["message"] == "a new kind of no"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.UNKNOWN, 500),
        (grpc.StatusCode.INTERNAL, 500),
        (grpc.StatusCode.DATA_LOSS, 500),
        (grpc.StatusCode.PERMISSION_DENIED, 500),
        (grpc.StatusCode.UNAVAILABLE, 503),
        (grpc.StatusCode.UNIMPLEMENTED, 503),
        (grpc.StatusCode.CANCELLED, 503),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 503),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 413),
    ],
)
async def test_statuses_without_a_reason(core, client, code, status):
    """What did not come from the domain says nothing of what it was."""

    async def fail(_request, context):
        await context.abort(code, "CANARY in details")

    core.answers[LIST] = fail
    response = await client.get("/api/v1/keys")

    lawful(response)
    assert response.status_code == status
    assert "CANARY" not in response.text


async def test_an_exception_in_the_core_shows_nothing(core, client):
    """The text of an unhandled exception reaches neither the caller nor the facade's log."""
    core.answers[LIST] = RuntimeError("CANARY in exception")
    with structlog.testing.capture_logs() as lines:
        response = await client.get("/api/v1/keys")

    assert lawful(response)["message"] == "internal error"
    assert "CANARY" not in response.text
    errors = [line for line in lines if line["log_level"] == "error"]
    assert len(errors) == 1
    assert errors[0]["request_id"] == response.headers["x-ingate-request-id"]
    assert "CANARY" not in json.dumps(lines, default=str)


async def test_a_slow_core_is_503(serve, core):
    """A call that takes longer than its deadline is answered in time."""
    import httpx

    from rest_facade.transcoder import Calls

    async def hang(_request, _context):
        await asyncio.sleep(60)

    core.answers[LIST] = hang
    facade = await serve(calls=Calls(timeout=0.2))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", headers=KEY, verify=False) as client:
        response = await client.get("/api/v1/keys")

    lawful(response)
    assert response.status_code == 503


async def test_a_core_that_is_down_is_503(core, client):
    """With nobody at the other end, the answer is 503 with Retry-After, at once."""
    await core.server.stop(0)
    response = await client.get("/api/v1/keys")

    lawful(response)
    assert response.status_code == 503


async def test_a_fault_of_the_facade_is_500_without_text(serve, core):
    """An exception anywhere in the facade is an internal error, logged by place and type."""
    import dataclasses

    import httpx

    from rest_facade.dialects.ingate import INGATE

    def broken(_answer, _route, _asked):
        raise ZeroDivisionError("CANARY")

    facade = await serve([dataclasses.replace(INGATE, envelope=broken)])
    with structlog.testing.capture_logs() as lines:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", headers=KEY, verify=False) as client:
            response = await client.get("/api/v1/keys")

    assert lawful(response)["code"] == "internal"
    [error] = [line for line in lines if line["log_level"] == "error"]
    assert error["error"] == "ZeroDivisionError"
    assert any("test_errors" in frame for frame in error["trace"])
    assert "CANARY" not in response.text + json.dumps(lines, default=str)
