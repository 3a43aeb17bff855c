"""Facts of an answer that its request or its headers state: the model to price, units that the body does not count."""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from ingate.formats import bedrock_invoke
from ingate.formats.facts import ResponseFacts
from ingate.formats.paths import CLOUDS, Format, is_alias
from ingate.pricing.usage import UNSTATED

INCOMPLETE = frozenset({Format.OPENAI_SPEECH, *CLOUDS})
"""Formats whose answers do not say all by themselves."""


def completed(
    format: Format,
    facts: ResponseFacts,
    *,
    succeeded: bool,
    asked: str | None,
    prompt: str | None,
    headers: Callable[[], Mapping[str, str]],
) -> ResponseFacts:
    """Returns the facts of an answer with what its request and its headers say.

    `succeeded` tells whether the status says so, `asked` is the model that the request names, `prompt` what is spoken.
    `headers` are those of the answer, names in lower case.
    """
    if format is Format.OPENAI_SPEECH:
        if succeeded and facts.error is None and facts.usage == UNSTATED and not facts.units and prompt:
            # Sound does not say what it took; some models are paid by the characters that are spoken.
            return replace(facts, units=(("input_characters", len(prompt)),))
        return facts
    if asked and not (facts.model and is_alias(asked)):
        # A cloud sells a model under a name of its own, at prices of its own; the answer has the vendor's.
        facts = replace(facts, model=asked)
    if format is Format.BEDROCK_INVOKE and facts.usage == UNSTATED:
        facts = replace(facts, usage=bedrock_invoke.stated(headers()))
    return facts
