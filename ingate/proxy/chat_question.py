"""A typed call as the request that the engine forwards: an OpenAI chat completion, written when its turn has come."""

from gen.ingate.chat.v1.chat_pb2 import Attribution
from gen.ingate.chat.v1.chat_service_pb2 import CompleteRequest, StreamCompleteRequest
from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_AZURE_OPENAI, PROVIDER_TYPE_OPENAI
from ingate.errors import BadRequest, TooLarge
from ingate.formats import Format, chat_request
from ingate.net.budget import Lease
from ingate.pacing import paced
from ingate.proxy.engine import Inbound
from ingate.proxy.plan import listed
from ingate.proxy.policies import Policies
from ingate.proxy.ports import Headers
from ingate.proxy.request_head import Candidate, read_head
from ingate.proxy.rpc_host import counted
from ingate.proxy.target import Target

Request = CompleteRequest | StreamCompleteRequest

_FORMAT = Format.OPENAI_CHAT
_PATH = "/v1/chat/completions"
_HEADERS: Headers = [
    (b"content-type", b"application/json"),
    (b"accept", b"application/json"),
    (b"accept-encoding", b"identity"),  # the answer is read here
]
_OPENAI = frozenset({PROVIDER_TYPE_OPENAI, PROVIDER_TYPE_AZURE_OPENAI})
_HEADER_OF_PROVIDER = "X-Ingate-Provider"


class Question:
    """One call. `inbound` is for the engine, which asks for the body once the key is known; `target` who then gets it.

    The body's bytes are counted on `lease`, of the request until it is written.
    """

    def __init__(
        self, request: Request, secret: str, request_id: str, policies: Policies, lease: Lease, *, max_body: int
    ) -> None:
        self._policies = policies
        self._max_body = max_body
        self._refusal = counted(request.ByteSize(), max_body, lease)
        self._request: Request | None = request
        self.lease = lease
        self.target: Target | None = None
        self._head = read_head("POST", _PATH, "", _headers(request), secret)
        self.inbound = Inbound(request_id, self._head, self._read, metered=True)

    async def _read(self, organisation: str) -> bytes:
        """Returns the body. Raises BadRequest for what no provider can be asked, TooLarge, RateLimited, Unavailable."""
        request, self._request = self._request, None  # what is in it is in the body then
        if self._refusal is not None or request is None:
            raise self._refusal or BadRequest("the request has been read")
        policy = self._policies.known(organisation) or await self._policies.policy(organisation)
        self.target = target = _chosen(self._candidates(policy.targets, request), policy.targets, request)
        body = await paced(
            chat_request.writing_body(
                request.chat,
                stream=isinstance(request, StreamCompleteRequest),
                usage=isinstance(request, StreamCompleteRequest) and not request.omit_usage,
                limit=chat_request.MAX_COMPLETION_TOKENS if target.type in _OPENAI else chat_request.MAX_TOKENS,
            )
        )
        if len(body) > self._max_body:
            raise TooLarge(f"the body must have at most {self._max_body} bytes, and this one has {len(body)}")
        self.lease.grow(max(0, len(body) - self.lease.held))
        return body

    def _candidates(self, targets: tuple[Target, ...], request: Request) -> tuple[Candidate, ...]:
        try:
            return self._head.candidates(targets, request.chat.model)
        except BadRequest as error:
            if _HEADER_OF_PROVIDER not in error.fields:
                raise
            # Whoever calls this has a field for it, and no header.
            raise BadRequest.field("provider", error.fields[_HEADER_OF_PROVIDER]) from None


def _chosen(candidates: tuple[Candidate, ...], targets: tuple[Target, ...], request: Request) -> Target:
    """Returns the provider that is asked first. Raises BadRequest unless all that may be asked speak OpenAI chat."""
    for candidate in candidates:
        if _FORMAT not in candidate.target.speaks:
            speaking = listed([target for target in targets if _FORMAT in target.speaks])
            problem = (
                f"leads to {candidate.target.name}, which does not speak OpenAI chat; of the providers do: {speaking}"
            )
            raise BadRequest.field("provider" if request.provider else "chat.model", problem)
    return candidates[0].target


def _headers(request: Request) -> Headers:
    headers = list(_HEADERS)
    if request.provider:
        headers.append((b"x-ingate-provider", request.provider.encode()))
    headers += _attributed(request.attribution)
    return headers


def _attributed(attribution: Attribution) -> Headers:
    stated = ((b"x-ingate-user-id", attribution.user_id), (b"x-ingate-session-id", attribution.session_id))
    return [(name, value.encode()) for name, value in stated if value]
