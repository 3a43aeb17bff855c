"""In whose words an error is told, by the path and the headers of the request."""

import json

import grpc
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from ingate.rpc.status import Failure
from rest_facade.asked import Asked
from rest_facade.dialects.ingate import proxy_error

REFUSED = Failure(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", "no")
OPENAI = {"message": "no", "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
ANTHROPIC = {"type": "authentication_error", "message": "no"}


def told(path, *headers):
    named = CIMultiDictProxy(CIMultiDict(headers))
    return json.loads(proxy_error(REFUSED, Asked("POST", path, "", named, "id", "")).body)["error"]


@pytest.mark.parametrize("path", ["/v1beta/openai/models", "/v1beta/openai/files/1", "/v1alpha/openai/batches"])
@pytest.mark.parametrize("headers", [(), (("x-goog-api-client", "x"),)])
def test_openais_api_at_google_is_openais(path, headers):
    """Its clients are OpenAI's, whatever else the host speaks."""
    assert told(path, *headers) == OPENAI


@pytest.mark.parametrize(
    "path", ["/upload/v1beta/files", "/v1alpha/files/1", "/v1beta/openai", "/v1alpha/cachedContents"]
)
def test_google_has_uploads_and_another_version(path):
    """Uploads go on without a header that tells Google's clients from others."""
    assert told(path)["status"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("path", ["/v1/complete", "/complete"])
def test_completions_of_anthropic(path):
    """The API that Anthropic had before Messages."""
    assert told(path) == ANTHROPIC
