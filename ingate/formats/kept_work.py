"""Batches and files, which a provider keeps: OpenAI's, Anthropic's, Gemini's, Mistral's.

They say how they ended. What the requests of a batch used is in its results: the call that asks for it used nothing.
"""

from msgspec import Raw, Struct

from ingate.formats.fault import describe, describe_body
from ingate.formats.shape import Shape
from ingate.formats.tally import Tally
from ingate.formats.usage import Count

FAILED_REQUESTS = "failed_requests"
"""The name in metadata of how many requests of a batch did not succeed."""
_FAILED = ("failed", "expired", "error", "timeout_exceeded")


class _Errors(Struct, gc=False):
    data: list[Raw] | None = None


class _Counts(Struct, gc=False):
    failed: Count | None = None
    errored: Count | None = None
    expired: Count | None = None


class _Progress(Struct, gc=False):
    model: str | None = None
    state: str | None = None


class _Work(Struct, gc=False):
    """A batch or a file."""

    id: str | None = None
    name: str | None = None  # Gemini
    model: str | None = None
    status: str | None = None
    processing_status: str | None = None  # Anthropic
    metadata: _Progress | None = None  # Gemini; the caller's own for others
    request_counts: _Counts | None = None
    failed_requests: Count | None = None  # Mistral
    error: Raw = Raw()
    errors: _Errors | list[Raw] | None = None
    last_error: Raw = Raw()
    status_details: str | None = None


WORK = Shape(_Work)


def whole(tally: Tally, data: bytes) -> bool:
    """Takes a whole response; tells whether it could be read."""
    work = WORK.read(data)
    if work is None:
        return False
    progress = work.metadata if work.name else None
    if work.id is None and progress is None:
        # An error, or a list.
        tally.error = describe_body(data)
        return True
    tally.complete = True
    tally.name(work.model or (progress.model.removeprefix("models/") if progress and progress.model else None))
    status = work.status or work.processing_status or (progress.state if progress else None)
    tally.finish = status[:256] if status else None
    if status and status.lower().endswith(_FAILED):
        tally.error = _why(work) or f"it ended with {tally.finish}"
    elif work.error:
        tally.fails(work.error)
    counts = work.request_counts
    failed = work.failed_requests or (
        sum((counts.failed or 0, counts.errored or 0, counts.expired or 0)) if counts else 0
    )
    tally.term(FAILED_REQUESTS, str(failed) if failed else None)
    return True


def _why(work: _Work) -> str | None:
    """Returns what the provider says of a failure."""
    listed = work.errors.data if isinstance(work.errors, _Errors) else work.errors
    said = (describe(error) for error in (work.error, work.last_error, *(listed or ())[:1]))
    return next((line for line in said if line), None) or work.status_details
