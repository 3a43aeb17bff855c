"""What Schemathesis finds by the document alone: every operation answers generated requests as the document says.

It takes half a minute of a processor: `make clients` runs this, `make test` does not.
"""

import asyncio

import pytest
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from rest_facade.spec.openapi import document
from tests.support.gateway import gateway

EXAMPLES = 2
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
REFUSED = ["400", "401", "403", "404", "409", "413", "414", "415", "422"]
ENDS_CALLERS = {"logout", "changePassword", "deleteOrg"}
"""Operations that end the session of the others; they are called without a credential."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


def operations():
    """Returns the operations of management whose answers end, by name."""
    config = schemathesis.Config.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": REFUSED}}})
    schema = schemathesis.openapi.from_dict(document("/"), config=config)
    found = [it.ok() for it in schema.get_all_operations()]
    named = {it.definition.raw["operationId"]: it for it in found if it.tags != ["Proxy"]}
    del named["tailExchanges"]
    return named


OPERATIONS = operations()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running():
    """A gateway's URL, and the headers of an owner's session and of a key that may do everything, by scheme."""
    async with gateway(grpc=False) as gw:
        org = await gw.signup()
        key = await org.make_key(role="owner", rate_limit_per_minute=10_000_000)
        yield gw.url, {"session": {"Authorization": f"Bearer {org.token}"}, "key": {"X-Ingate-Key": key}}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", OPERATIONS)
async def test_answers_are_as_documented(running, name, mode):
    """Status, headers, media type and body are documented, and what breaks the schema of the request is refused."""
    url, callers = running
    operation = OPERATIONS[name]
    keys = mode is GenerationMode.POSITIVE and {"key": []} in operation.definition.raw["security"]
    headers = {} if name in ENDS_CALLERS else callers["key" if keys else "session"]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def fuzz(case):
        case.validate_response(case.call(base_url=url, headers=headers), checks=CHECKS)

    await asyncio.to_thread(fuzz)
