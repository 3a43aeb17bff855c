"""A request's head and everything that follows from it alone.

Clients send the same head over and over: a host may keep a `RequestHead` and use it again, and what is derived here is
then derived once. Knows no body and no connection.
"""

from msgspec import Struct

from gen.ingate.providers.v1.route_pb2 import Route as Provider
from ingate import ids
from ingate.errors import BadRequest
from ingate.formats import KEPT, Format, boundary_of, detect
from ingate.provider_types import KINDS
from ingate.proxy import uploads
from ingate.proxy.headers import (
    CREDENTIALS,
    HOP_BY_HOP,
    also_outbound,
    named_by_connection,
    outbound,
)
from ingate.proxy.masking import Mask, joined, mask_of, shown_by
from ingate.proxy.plan import Destination, plan
from ingate.proxy.ports import Account, Headers
from ingate.proxy.target import Target

MAX_ATTRIBUTION = 256
_HEEDED = (
    CREDENTIALS
    | HOP_BY_HOP
    | {b"accept-encoding"}
    | {name.encode() for kind in KINDS.values() for name, _ in kind.headers}
)
_HEEDED_BEGINNINGS = (b"anthropic-", b"content-", b"x-goog-", b"x-ingate-")
_PROVIDER = b"x-ingate-provider"
_USER, _SESSION = b"x-ingate-user-id", b"x-ingate-session-id"
_ATTRIBUTES = frozenset({_USER, _SESSION})
_REMEMBERED_MODELS = 32
_SAFE_TWICE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_BODILESS_METHODS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})
"""Servers are not agreed on whether these have bodies: one that leaves a body unread takes it for the next request."""
DELETING = "DELETE", "/api/delete"
"""Ollama's, whose body names the model to delete."""


class Candidate(Struct, eq=False):
    """A destination made ready for a head: all that a provider gets of a request, but for its body.

    `account` is who asks, `asks` path and query. `served_by` is what the caller is told. `mask` finds the credentials
    that the provider gets. `ends_here` are the names of headers that are for the caller's connection alone.
    `uncompressed` are the headers for an answer that is to be read, once they were needed.
    """

    destination: Destination
    account: Account
    asks: str
    headers: Headers
    served_by: Headers
    mask: Mask | None
    ends_here: frozenset[bytes]
    uncompressed: Headers | None = None

    @property
    def target(self) -> Target:
        """The provider."""
        return self.destination.target


class RequestHead(Struct, eq=False, weakref=True):
    """What a request says before its body. Made by `read_head`.

    `digest` is the hash of the caller's key. `boundary` is that of a form, empty of any other body. `begins` tells that
    it begins an upload. `named` is the provider that the caller asks for, `too_long` the header whose value attributes
    the exchange in more than `MAX_ATTRIBUTION` characters. `bodiless`: the request has no body.
    `repeatable`: a provider may get the request twice, since it asks a model or changes nothing more the second time.

    `only` is the one provider that may answer, whatever others the key's organisation has, None where all may. `lacks`
    says what is missing that this provider needs.

    One with headers of its `own`, none of which is heeded, has all others and its candidates from `shared`.

    `user_id` and `session_id` are whom the caller attributes the exchange to, empty for nobody.
    """

    method: str
    path: str
    query: str
    headers: Headers
    digest: bytes
    format: Format
    compressed: bool
    boundary: bytes
    begins: bool
    user_id: str
    session_id: str
    named: str | None
    too_long: str | None
    bodiless: bool
    repeatable: bool
    targets: tuple[Target, ...] = ()
    prepared: dict[str | None, tuple[Candidate, ...]] = {}
    shared: "RequestHead | None" = None
    own: Headers = []
    only: Provider | None = None
    lacks: str | None = None

    def differing(self, own: Headers) -> "RequestHead":
        """Returns this head with more headers, whose names it does not have and that are not heeded."""
        user_id, session_id, too_long = self.user_id, self.session_id, self.too_long
        if too_long is None and not _ATTRIBUTES.isdisjoint(dict(own)):
            user, session, too_long = _attributed(own)
            user_id, session_id = user or user_id, session or session_id
        return RequestHead(
            self.method,
            self.path,
            self.query,
            self.headers + own,
            self.digest,
            self.format,
            self.compressed,
            self.boundary,
            self.begins,
            user_id,
            session_id,
            self.named,
            too_long,
            self.bodiless,
            self.repeatable,
            shared=self,
            own=own,
            only=self.only,
            lacks=self.lacks,
        )

    def also(self, candidate: Candidate) -> Headers:
        """Returns what the provider gets of this head's own headers."""
        return also_outbound(self.own, candidate.target, candidate.ends_here) if self.own else self.own

    def candidates(self, targets: tuple[Target, ...], model: str | None) -> tuple[Candidate, ...]:
        """Returns where the request can go among the targets of a policy, best first.

        Raises BadRequest when it can go nowhere.
        """
        if self.shared is not None:
            return self.shared.candidates(targets, model)
        if targets is not self.targets:
            # The policy was renewed.
            self.targets = targets
            self.prepared.clear()
        found = self.prepared.get(model)
        if found is None:
            chosen = plan(targets, self.format, self.path, model, headers=self.headers, named=self.named)
            found = (self._candidate(chosen),)
            if len(self.prepared) < _REMEMBERED_MODELS:
                self.prepared[model] = found
        return found

    def _candidate(self, chosen: Destination) -> Candidate:
        target = chosen.target
        asks = f"{chosen.path}?{self.query}" if self.query else chosen.path
        served_by = [(b"x-ingate-served-by", target.name.encode())]
        mask, headers = target.mask, self.headers
        if target.passthrough:
            mask = joined((mask, mask_of(shown_by(headers, CREDENTIALS))))
            headers = [header for header in headers if not self._shows_key(header)]
        headers, ends_here = outbound(headers, target), named_by_connection(headers)
        return Candidate(chosen, _account(target, headers), asks, headers, served_by, mask, ends_here)

    def _shows_key(self, header: tuple[bytes, bytes]) -> bool:
        """Tells whether a header shows a provider the key of the gateway, which need not look like one."""
        return any(ids.secret_hash(shown) == self.digest for shown in shown_by([header], CREDENTIALS))


def read_head(method: str, path: str, query: str, headers: Headers, secret: str) -> RequestHead:
    """Returns the head of a request. `path` and `query` are raw and checked, header names in lower case.

    Raises BadRequest where they name two providers.
    """
    user_id, session_id, too_long = _attributed(headers)
    named: str | None = None
    boundary = b""
    begins = False
    for name, value in headers:
        if name == _PROVIDER:
            before, named = named, value.decode("latin-1").strip()
            if before is not None and before != named:
                raise BadRequest.field("X-Ingate-Provider", "names more than one provider")
        elif name == b"content-type":
            boundary = boundary_of(value)
        elif name == uploads.COMMAND:
            begins = value == uploads.START
    format = detect(path)
    return RequestHead(
        method,
        path,
        query,
        headers,
        ids.secret_hash(secret),
        format,
        any(name == b"content-encoding" and value.lower() != b"identity" for name, value in headers),
        boundary,
        begins,
        user_id,
        session_id,
        named,
        too_long,
        method.upper() in _BODILESS_METHODS and (method, path) != DELETING,
        method in _SAFE_TWICE or (method == "POST" and format not in KEPT),
    )


def is_heeded(name: bytes) -> bool:
    """Tells whether more may follow from a header, its name in lower case, than that it crosses and is recorded."""
    return name in _HEEDED or (name.startswith(_HEEDED_BEGINNINGS) and name not in _ATTRIBUTES)


def _attributed(headers: Headers) -> tuple[str, str, str | None]:
    """Returns the user and the session that headers state, and the name of a header that states one too long."""
    said, too_long = {_USER: "", _SESSION: ""}, None
    for name, value in headers:
        if name in said:
            text = value.decode("utf-8", "replace").strip()
            if len(text) > MAX_ATTRIBUTION:
                too_long = name.decode().title()
                break
            said[name] = text or said[name]
    return said[_USER], said[_SESSION], too_long


def _account(target: Target, headers: Headers) -> Account:
    """Returns who asks with these headers: with a credential of the caller's own where the target takes that."""
    account = target.account
    if not target.passthrough:
        return account
    shown = [pair for pair in headers if pair[0] in CREDENTIALS]
    return Account.of(account.origin, account.org, shown + target.extra)
