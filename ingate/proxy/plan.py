"""Where a request can go: which of the organisation's providers, which path, which model. Pure."""

import re
from collections.abc import Sequence

from msgspec import Struct

from gen.ingate.providers.v1.provider_pb2 import (
    PROVIDER_TYPE_ANTHROPIC,
    PROVIDER_TYPE_AZURE_OPENAI,
    PROVIDER_TYPE_GEMINI,
    PROVIDER_TYPE_HTTP,
    PROVIDER_TYPE_OLLAMA,
    PROVIDER_TYPE_OPENAI,
    PROVIDER_TYPE_OPENAI_COMPATIBLE,
)
from ingate.errors import BadRequest
from ingate.formats import SHARED, Format, Vendor, without_prefix
from ingate.proxy.ports import Headers
from ingate.proxy.target import Target

VERSION = "/v1"
GEMINI_VERSION = "/v1beta"
ANTHROPIC_ROOTS = ("/complete", "/messages")
_GEMINI_PATHS = tuple(f"{upload}/{version}/" for upload in ("", "/upload") for version in ("v1beta", "v1alpha"))
_OPENAI_AT_GOOGLE = tuple(f"{path}openai/" for path in _GEMINI_PATHS)
GEMINI_ROOTS = ("/cachedContents", "/tunedModels")
OLLAMA_ROOTS = (
    "/api/blobs",
    "/api/copy",
    "/api/create",
    "/api/delete",
    "/api/ps",
    "/api/pull",
    "/api/push",
    "/api/show",
    "/api/tags",
    "/api/version",
)
OPENAI_ROOTS = (
    "/assistants",
    "/audio",
    "/batches",
    "/chat/completions",
    "/completions",
    "/conversations",
    "/embeddings",
    "/files",
    "/fine_tuning",
    "/images",
    "/models",
    "/moderations",
    "/responses",
    "/threads",
    "/uploads",
    "/vector_stores",
    "/videos",
)
"""Paths below `/v1`, which SDKs leave out when their base URL does."""
DEMO_MODEL = "demo"
"""What the demo model's own names begin with."""
TYPES: dict[Vendor, int] = {
    Vendor.OPENAI: PROVIDER_TYPE_OPENAI,
    Vendor.ANTHROPIC: PROVIDER_TYPE_ANTHROPIC,
    Vendor.GEMINI: PROVIDER_TYPE_GEMINI,
    Vendor.OLLAMA: PROVIDER_TYPE_OLLAMA,
}
"""The type of a vendor's own providers."""
SHOWN_PROVIDERS = 10
"""Providers that a refusal names."""

_ROOTS = (*OPENAI_ROOTS, *ANTHROPIC_ROOTS, *GEMINI_ROOTS)
_OPENAI_TYPES = frozenset({PROVIDER_TYPE_OPENAI, PROVIDER_TYPE_OPENAI_COMPATIBLE, PROVIDER_TYPE_AZURE_OPENAI})
_GOOGLE = frozenset({b"x-goog-api-client", b"x-goog-api-key", b"x-goog-upload-command"})
_GEMINI_VERB = re.compile(
    r"/models/.+:(?:asyncBatchEmbedContent|batch(?:EmbedText|GenerateContent)|count(?:MessageTokens|TextTokens|Tokens)"
    r"|embedText|generate(?:Answer|Message|Text)|predict(?:LongRunning)?)"
)
_VERSIONED = re.compile(r"/v\d+\w*(/openai)?$")


class Destination(Struct, frozen=True):
    """One provider to try: the target, the path to ask it for, and the model as it knows it.

    `prefixed` tells that the request names the model behind the provider's name, which is to be taken out of the body.
    """

    target: Target
    path: str
    model: str | None
    prefixed: bool


def plan(
    targets: Sequence[Target], format: Format, path: str, model: str | None, *, headers: Headers, named: str | None
) -> Destination:
    """Returns where a request goes: to the provider of the header, of the model's prefix, of the path, or the default.

    Raises BadRequest when none of these leads to a provider.
    """
    if named is not None:
        target = next((target for target in targets if target.name == named), None)
        if target is None:
            raise BadRequest.field("X-Ingate-Provider", f"names no provider that this key can reach: {listed(targets)}")
    else:
        target = None
    prefixed = False
    prefix, slash, rest = (model or "").partition("/")
    if slash and rest and (target is None or (target.name == prefix and not target.verbatim)):
        by_prefix = target or next((target for target in targets if target.name == prefix), None)
        if by_prefix is not None:
            target, model, prefixed = by_prefix, rest, True
            path = without_prefix(path, prefix)
    if target is None:
        target = by_demo_name(targets, model) or by_path(targets, format, path, model, headers)
        target = target or default(targets, format, model)
    if target is None:
        raise BadRequest(missing(targets))
    return Destination(target, asked_of(target, path, format), model, prefixed)


def by_demo_name(targets: Sequence[Target], model: str | None) -> Target | None:
    """Returns the demo model where one of its own names is asked for, on any path, and no other provider lists it."""
    if model is None or not model.startswith(DEMO_MODEL):
        return None
    if any(model in target.models for target in targets if not target.demo):
        return None
    return next((target for target in targets if target.demo), None)


def by_path(targets: Sequence[Target], format: Format, path: str, model: str | None, headers: Headers) -> Target | None:
    """Returns the provider that a path means: by its wire format, or by the vendor where several share the path."""
    if format in SHARED:
        return by_vendor(targets, vendor_of(path, headers))
    return by_format(targets, format, model)


def by_format(targets: Sequence[Target], format: Format, model: str | None) -> Target | None:
    """Returns the provider that a path with a wire format means.

    Of the providers that speak the format: one that lists the model; else the best whose type is the format's own.
    Names of others that the demo model lists are not its own.
    """
    speaking = [target for target in targets if format in target.speaks]
    for target in speaking:
        if model is not None and model in target.models and not target.demo:
            return target
    return _best([target for target in speaking if format in target.natural])


def vendor_of(path: str, headers: Headers) -> Vendor | None:
    """Returns the vendor that a path without a wire format means, None where it means none.

    Vendors share paths such as `/v1/models`: a header that only one vendor's callers send tells whose is meant.
    """
    names = {name for name, _ in headers}
    bare = path.removeprefix(VERSION)
    if b"anthropic-version" in names or _below(bare, ANTHROPIC_ROOTS):
        return Vendor.ANTHROPIC
    if not _GOOGLE.isdisjoint(names) or path.startswith(_GEMINI_PATHS) or _below(bare, GEMINI_ROOTS):
        return Vendor.GEMINI
    if _below(path, OLLAMA_ROOTS):
        return Vendor.OLLAMA
    if _GEMINI_VERB.fullmatch(bare):
        return Vendor.GEMINI
    return Vendor.OPENAI if _below(bare, OPENAI_ROOTS) else None


def speaks_of(path: str, headers: Headers) -> Vendor | None:
    """Returns the vendor whose clients call a path without a wire format: Google has OpenAI's API on some."""
    return Vendor.OPENAI if path.startswith(_OPENAI_AT_GOOGLE) else vendor_of(path, headers)


def by_vendor(targets: Sequence[Target], vendor: Vendor | None) -> Target | None:
    """Returns the best provider whose type is a vendor's own."""
    return None if vendor is None else _best([target for target in targets if target.type == TYPES[vendor]])


def _best(targets: Sequence[Target]) -> Target | None:
    """Returns, of providers that would all do, the one named after its type, the default, or the first."""
    named = (target for target in targets if target.name == target.type_name)
    marked = (target for target in targets if target.is_default)
    return next(named, None) or next(marked, None) or next(iter(targets), None)


def default(targets: Sequence[Target], format: Format, model: str | None) -> Target | None:
    """Returns the provider marked as default, or else the only one that speaks the format, or the only one at all.

    Beside others, the demo model does not count, unless it lists the model and nobody else speaks the format.
    """
    for target in targets:
        if target.is_default:
            return target
    others = [target for target in targets if not target.demo]
    standing_in = [target for target in targets if target.demo and model in target.models]
    for group in ([target for target in others if format in target.speaks], standing_in, others, targets):
        if len(group) == 1:
            return group[0]
    return None


def asked_of(target: Target, path: str, format: Format) -> str:
    """Returns the path that a provider is asked for, as its documentation and its base URL have it.

    SDKs leave the version out when their base URL states it, and so may callers. A base URL of a provider that speaks
    as OpenAI does is what stands before `/chat/completions`, whatever it ends in: nothing is put between. Without a
    path of its own, it has `/v1`.
    """
    if target.verbatim:
        return target.prefix + path
    if target.type in _OPENAI_TYPES and target.prefix:
        return target.prefix + _unversioned(path)
    return join(target.prefix, canonical(path, format, target))


def canonical(path: str, format: Format, target: Target) -> str:
    """Returns the path with the version that the provider documents."""
    if target.type == PROVIDER_TYPE_HTTP or not _below(path, _ROOTS):
        return path
    return (GEMINI_VERSION if format is Format.GEMINI or target.type == PROVIDER_TYPE_GEMINI else VERSION) + path


def _unversioned(path: str) -> str:
    return path.removeprefix(VERSION) if path.startswith(VERSION + "/") else path


def join(prefix: str, path: str) -> str:
    """Returns the path below a base URL's prefix; a prefix that ends in a version has the say over the path's own."""
    if _VERSIONED.search(prefix):
        for version in (VERSION, GEMINI_VERSION):
            if path.startswith(version + "/"):
                return prefix + path.removeprefix(version)
    return prefix + path


def missing(targets: Sequence[Target]) -> str:
    """Returns why a request goes nowhere, which providers there are, and how to name one."""
    if not targets:
        return (
            "Missing X-Ingate-Provider: there is no provider yet. Add one with POST /api/v1/providers or"
            " `ingate providers add`, or start the gateway with --demo to try it"
        )
    first = targets[0].name
    return (
        "Missing X-Ingate-Provider: neither the path nor the model tells which provider is meant, and the organisation"
        f" has no default provider. This key can reach {listed(targets)}. Name one in the header, such as"
        f" `X-Ingate-Provider: {first}`, or before the model, such as `{first}/<model>`"
    )


def listed(targets: Sequence[Target]) -> str:
    """Returns the names of providers for a sentence, and how many more there are."""
    names = ", ".join(target.name for target in targets[:SHOWN_PROVIDERS])
    more = len(targets) - SHOWN_PROVIDERS
    return f"{names} and {more} more" if more > 0 else names or "there is none yet"


def _below(path: str, roots: tuple[str, ...]) -> bool:
    return path.startswith(roots) and any(path == root or path.startswith(root + "/") for root in roots)
