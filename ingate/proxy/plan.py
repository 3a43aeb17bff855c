"""Where a request goes: which of the key's providers, which path, which model. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingate.errors import BadRequest
from ingate.formats import Format, RequestFacts, rewrite_model
from ingate.proxy.target import Target

OPENAI_FORMATS = frozenset(
    {Format.OPENAI_CHAT, Format.OPENAI_COMPLETIONS, Format.OPENAI_RESPONSES, Format.OPENAI_EMBEDDINGS}
)
VERSION = "/v1"
VERSIONED = ("/chat/completions", "/completions", "/responses", "/embeddings", "/messages", "/models")
"""Paths that SDKs call with and without `/v1`, as their base URL has it or not."""
GEMINI_VERSION = "/v1beta"
MISSING = (
    "Missing X-Ingate-Provider: the path names no provider that this key can reach, and the organisation has no default"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """One provider to try: the target, the path to ask it for, and the body with the model it knows."""

    target: Target
    path: str
    body: bytes
    model: str | None


def plan(
    targets: Sequence[Target],
    format: Format,
    path: str,
    body: bytes,
    facts: RequestFacts,
    *,
    named: str | None,
) -> Plan:
    """Returns the plan of a request: the provider of the header, of the model's prefix, of the path, or the default.

    Raises BadRequest when none of these leads to a provider.
    """
    model = facts.model
    if named is not None:
        target = next((target for target in targets if target.name == named), None)
        if target is None:
            raise BadRequest.field("X-Ingate-Provider", "names no provider that this key can reach")
    else:
        target = None
    prefix, slash, rest = (model or "").partition("/")
    if slash and rest and (target is None or target.name == prefix):
        by_prefix = target or next((target for target in targets if target.name == prefix), None)
        if by_prefix is not None:
            target, model = by_prefix, rest
            body, path = _with_model(format, body, path, rest)
    target = target or by_format(targets, format, model) or default(targets)
    if target is None:
        raise BadRequest(MISSING)
    return Plan(target, join(target.prefix, canonical(path, format, target)), body, model)


def by_format(targets: Sequence[Target], format: Format, model: str | None) -> Target | None:
    """Returns the provider that a path means.

    Of the providers that speak its format: one that lists the model; else one whose type is the format's own: the
    one named after it, the default, the first.
    """
    speaking = [target for target in targets if format in target.speaks]
    for target in speaking:
        if model is not None and model in target.models:
            return target
    natural = [target for target in speaking if format in target.natural]
    for target in natural:
        if target.name == target.type_name:
            return target
    return default(natural) or (natural[0] if natural else None)


def default(targets: Sequence[Target]) -> Target | None:
    """Returns the provider marked as default, or the only one there is."""
    for target in targets:
        if target.is_default:
            return target
    return targets[0] if len(targets) == 1 else None


def canonical(path: str, format: Format, target: Target) -> str:
    """Returns the path as the provider documents it: SDKs leave `/v1` out when their base URL does."""
    if format is Format.GEMINI:
        return GEMINI_VERSION + path if path.startswith("/models/") else path
    bare = path.removeprefix(VERSION)
    if bare.startswith(VERSIONED) and (format in target.speaks or bare.startswith("/models")):
        return VERSION + bare
    return path


def join(prefix: str, path: str) -> str:
    """Returns the path below a base URL's prefix; a version that both state is stated once."""
    for version in (VERSION, GEMINI_VERSION):
        if prefix.endswith(version) and path.startswith(version + "/"):
            return prefix + path.removeprefix(version)
    return prefix + path


def _with_model(format: Format, body: bytes, path: str, model: str) -> tuple[bytes, str]:
    if format is Format.GEMINI:
        head, _, tail = path.partition("/models/")
        return body, f"{head}/models/{model}{tail[tail.rindex(':') :] if ':' in tail else ''}"
    return rewrite_model(body, model), path
