"""Which wire format a path speaks, and which model it names.

Knows the paths of the providers' public APIs; knows nothing of hosts, methods or bodies.
"""

import re
from enum import StrEnum
from urllib.parse import unquote


class Format(StrEnum):
    """A family of request and response bodies. `OTHER` is forwarded and not read."""

    OPENAI_CHAT = "openai_chat"
    OPENAI_COMPLETIONS = "openai_completions"
    OPENAI_RESPONSES = "openai_responses"
    OPENAI_STORED_RESPONSES = "openai_stored_responses"
    OPENAI_EMBEDDINGS = "openai_embeddings"
    OPENAI_TRANSCRIPTIONS = "openai_transcriptions"
    OPENAI_SPEECH = "openai_speech"
    OPENAI_IMAGES = "openai_images"
    OPENAI_MODERATIONS = "openai_moderations"
    RERANK = "rerank"
    ANTHROPIC_MESSAGES = "anthropic_messages"
    GEMINI = "gemini"
    OLLAMA = "ollama"
    VERTEX_ANTHROPIC = "vertex_anthropic"
    VERTEX_CHAT = "vertex_chat"
    BEDROCK_CONVERSE = "bedrock_converse"
    BEDROCK_INVOKE = "bedrock_invoke"
    TOKEN_COUNT = "token_count"  # noqa: S105 -- a format
    BATCHES = "batches"
    FILES = "files"
    OTHER = "other"


SHARED = frozenset(
    {
        Format.OPENAI_STORED_RESPONSES,
        Format.VERTEX_ANTHROPIC,
        Format.VERTEX_CHAT,
        Format.BEDROCK_CONVERSE,
        Format.BEDROCK_INVOKE,
        Format.TOKEN_COUNT,
        Format.BATCHES,
        Format.FILES,
        Format.OTHER,
    }
)
"""Formats by which no type of provider is chosen: several vendors have them, or none that is a type of its own."""
KEPT = frozenset({Format.OPENAI_STORED_RESPONSES, Format.BATCHES, Format.FILES, Format.OTHER})
"""Formats in which a POST may make or change what the provider keeps; in every other it asks a model."""
CLOUDS = {
    Format.BEDROCK_CONVERSE: "aws",
    Format.BEDROCK_INVOKE: "aws",
    Format.VERTEX_ANTHROPIC: "google",
    Format.VERTEX_CHAT: "google",
}
"""Clouds, as price lists name them, that alone have a format."""

_BY_LAST_TWO = {
    "chat/completions": Format.OPENAI_CHAT,
    "api/chat": Format.OLLAMA,
    "api/generate": Format.OLLAMA,
    "api/embed": Format.OLLAMA,
    "api/embeddings": Format.OLLAMA,
    "responses/compact": Format.OPENAI_RESPONSES,
    "responses/input_tokens": Format.TOKEN_COUNT,
    "messages/count_tokens": Format.TOKEN_COUNT,
    "audio/transcriptions": Format.OPENAI_TRANSCRIPTIONS,
    "audio/translations": Format.OPENAI_TRANSCRIPTIONS,
    "audio/speech": Format.OPENAI_SPEECH,
    "images/generations": Format.OPENAI_IMAGES,
    "images/edits": Format.OPENAI_IMAGES,
    "images/variations": Format.OPENAI_IMAGES,
    "batch/jobs": Format.BATCHES,
}
_BY_LAST = {
    "completions": Format.OPENAI_COMPLETIONS,
    "responses": Format.OPENAI_RESPONSES,
    "embeddings": Format.OPENAI_EMBEDDINGS,
    "messages": Format.ANTHROPIC_MESSAGES,
    "moderations": Format.OPENAI_MODERATIONS,
    "rerank": Format.RERANK,
    "batches": Format.BATCHES,
    "files": Format.FILES,
}
_BY_PARENT = {
    "responses": Format.OPENAI_STORED_RESPONSES,
    "batches": Format.BATCHES,
    "jobs": Format.BATCHES,
    "files": Format.FILES,
}
"""Paths of one thing that a provider keeps: its id is behind these, and for `cancel` before the last segment."""
# `/threads/ID/messages` and `/chat/completions/ID/messages` list stored messages; they are no Messages API.
_OWNS_MESSAGES = frozenset({"threads", "completions"})
_BEDROCK = {
    "converse": Format.BEDROCK_CONVERSE,
    "converse-stream": Format.BEDROCK_CONVERSE,
    "invoke": Format.BEDROCK_INVOKE,
    "invoke-with-response-stream": Format.BEDROCK_INVOKE,
    "count-tokens": Format.TOKEN_COUNT,
}
_VERBS = {
    "generateContent": Format.GEMINI,
    "streamGenerateContent": Format.GEMINI,
    "embedContent": Format.GEMINI,
    "batchEmbedContents": Format.GEMINI,
    "countTokens": Format.TOKEN_COUNT,
    "batchGenerateContent": Format.BATCHES,
    "asyncBatchEmbedContent": Format.BATCHES,
}
_MAY_NAME = frozenset({Format.GEMINI, Format.TOKEN_COUNT, Format.BATCHES, *CLOUDS})
_RAW_PREDICT = frozenset({"rawPredict", "streamRawPredict"})
_VERB_ENDINGS = ("Content", "Contents", "countTokens", "awPredict")
_DEPLOYED = frozenset({Format.OPENAI_TRANSCRIPTIONS, Format.OPENAI_SPEECH, Format.OPENAI_IMAGES})
"""Formats whose answers name no model: at Azure, the deployment is the only name that there is."""
_DEPLOYMENT = re.compile(r"/deployments/([^/]+)/")
_PROFILE = ":application-inference-profile/"
# What stands before the first slash of a model, plain or encoded. A plain slash ends a deployment of Azure's, and a
# model of Bedrock's unless a model and an operation follow.
_PREFIX = re.compile(
    r"/(?:(?:models|tunedModels)/([^/%]++)(?:/|%2[Ff])"
    r"|model/([^/%]++)(?:%2[Ff]|/(?=[^/]+/))"
    r"|deployments/([^/%]++)%2[Ff])"
)
_MODEL = re.compile(r"/(?:models|tunedModels)/(.+)")


def detect(path: str) -> Format:
    """Returns the format of a path without its query; segments before the API's own are ignored."""
    rest, _, last = path.rpartition("/")
    if last.endswith(_VERB_ENDINGS):
        return _by_verb(path)
    if last in _BEDROCK and "/model/" in rest:
        return _BEDROCK[last]
    found = _BY_LAST.get(last)
    owner, _, parent = rest.rpartition("/")
    if found is Format.ANTHROPIC_MESSAGES and owner.rpartition("/")[2] in _OWNS_MESSAGES:
        return Format.OTHER
    return _BY_LAST_TWO.get(f"{parent}/{last}") or found or _of_one(owner, parent, last)


def _of_one(owner: str, parent: str, last: str) -> Format:
    """Returns the format of a path that names one thing, such as `/responses/ID` and `/batches/ID/cancel`."""
    if last == "cancel":
        owner, last = owner.rpartition("/")[::2]
        parent, last = last, parent
    if parent == "jobs" and owner.rpartition("/")[2] != "batch":
        return Format.OTHER
    return _BY_PARENT.get(parent, Format.OTHER) if last else Format.OTHER


def _by_verb(path: str) -> Format:
    verb = gemini_method(path)
    if verb not in _RAW_PREDICT:
        return _VERBS.get(verb, Format.OTHER)
    if "/publishers/anthropic/" not in path:
        return Format.VERTEX_CHAT
    return Format.TOKEN_COUNT if gemini_model(path) == "count-tokens" else Format.VERTEX_ANTHROPIC


def gemini_method(path: str) -> str:
    """Returns the verb behind the last colon, `""` when there is none or no model before it."""
    model, _, method = _last_colon(path.rpartition("/")[2])
    return method if model else ""


def gemini_model(path: str) -> str | None:
    """Returns the model a Gemini path names: what lies between `models/` and the verb, or else the last segment."""
    found = _MODEL.search(path)
    return _last_colon(found[1] if found else path.rpartition("/")[2])[0] or None


def path_model(format: Format, path: str) -> str | None:
    """Returns the model that a path names, as its format has it there; `None` where the body names it."""
    if format in _DEPLOYED:
        deployed = _DEPLOYMENT.search(path)
        return unquote(deployed[1]) if deployed else None
    if format not in _MAY_NAME:
        return None
    rest, _, last = path.rpartition("/")
    if last in _BEDROCK:
        return unquote(rest.partition("/model/")[2]) or None
    verb = gemini_method(path)
    return gemini_model(path) if verb in _VERBS or (verb and format is not Format.TOKEN_COUNT) else None


def cloud_of(format: Format, path: str) -> str:
    """Returns the cloud that alone has a path, as price lists name it, and whose prices apply whatever the address is.

    Empty where any provider may have the path.
    """
    return CLOUDS.get(format) or ("google" if format is Format.GEMINI and "/publishers/google/" in path else "")


def is_alias(model: str) -> bool:
    """Tells whether what a path names is a name that a customer gave, behind which any model may be."""
    return _PROFILE in model


def named_model(path: str) -> str | None:
    """Returns the model that a path of any API names behind `models/`, `None` when it names none.

    A verb behind its last colon, as Google's APIs have them, is left out.
    """
    found = _MODEL.search(path)
    if found is None:
        return None
    model, colon, verb = _last_colon(found[1])
    return (model if colon and verb.isalpha() else unquote(found[1])) or None


def without_prefix(path: str, prefix: str) -> str:
    """Returns the path without a prefix and its slash before the model; as it is where they do not stand there."""
    found = _PREFIX.search(path)
    if found is None or found.lastindex is None or found[found.lastindex] != prefix:
        return path
    return path[: found.start(found.lastindex)] + path[found.end() :]


def _last_colon(text: str) -> tuple[str, str, str]:
    return unquote(text).rpartition(":") if "%" in text else text.rpartition(":")
