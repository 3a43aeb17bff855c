import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from ingate import errors
from ingate.rpc import status


def family(cls):
    """Returns a class and all that derive from it."""
    return [cls, *(inner for child in cls.__subclasses__() for inner in family(child))]


def received(error):
    """Returns the error as a client of gRPC gets it."""
    sent = status.to_status(error)
    trailers = grpc.aio.Metadata((status.DETAILS_KEY, sent.SerializeToString()))
    return grpc.aio.AioRpcError(status.code_of(error), grpc.aio.Metadata(), trailers, details=sent.message)


@pytest.mark.parametrize("cls", [cls for cls in family(errors.DomainError) if cls.__module__ == "ingate.errors"])
def test_every_domain_error_has_a_code_and_comes_back_as_it_was(cls):
    """Reason, message, fields, metadata and retry survive the way out and back."""
    assert cls.reason in status.CODES
    error = cls("words — ü", fields={"a.b[0]": "is bad"}, metadata={"k": "v"}, retry_after=1.5)
    assert status.from_rpc_error(received(error)) == status.Failure(
        code=status.code_of(error),
        reason=cls.reason,
        message="words — ü",
        fields={"a.b[0]": "is bad"},
        metadata={"k": "v"},
        retry_after=1.5,
    )


def test_what_may_have_been_paid_for_is_not_told_as_retryable():
    """Clients of gRPC retry UNAVAILABLE by themselves; a provider that was not reached charges nothing."""
    assert status.code_of(errors.ProviderFailed("x")) is grpc.StatusCode.UNKNOWN
    assert status.code_of(errors.ProviderUnreached("x")) is grpc.StatusCode.UNAVAILABLE


def test_a_providers_status_is_never_told_as_retryable_or_as_the_callers_own_fault():
    """Whatever a provider answers with, it may have been paid for, and the caller's credential was good."""
    told = {status.code_of(errors.ProviderAnswered("x", status=answered)) for answered in range(100, 600)}
    assert told.isdisjoint(
        {
            grpc.StatusCode.OK,
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.UNAUTHENTICATED,
            grpc.StatusCode.PERMISSION_DENIED,
            grpc.StatusCode.INTERNAL,
        }
    )


def test_a_providers_words_have_room():
    """More than other metadata, and no more than fits into trailers."""
    error = errors.ProviderAnswered("x", metadata={"provider_message": "ü" * 1000})
    assert status.from_rpc_error(received(error)).metadata == {"provider_message": "ü" * 250}


def test_an_error_of_another_package_has_the_code_of_its_base():
    """A reason that is not in the table inherits."""

    class Special(errors.RateLimited):
        reason = "SPECIAL"

    class Alien(errors.DomainError):
        reason = "ALIEN"

    assert status.code_of(Special("x")) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert status.code_of(Alien("x")) is grpc.StatusCode.INTERNAL
    assert status.from_rpc_error(received(Special("x"))).reason == "SPECIAL"


def test_each_kind_of_detail_is_there_at_most_once():
    """Rate limits say what is exhausted and when to come back."""
    error = errors.RateLimited("slow down", fields={"f": "p"}, metadata={"subject": "key:1"}, retry_after=3)
    sent = status.to_status(error)
    kinds = [detail.TypeName() for detail in sent.details]
    assert sorted(kinds) == [
        "google.rpc.BadRequest",
        "google.rpc.ErrorInfo",
        "google.rpc.QuotaFailure",
        "google.rpc.RetryInfo",
    ]
    quota = error_details_pb2.QuotaFailure()
    next(detail for detail in sent.details if detail.TypeName() == "google.rpc.QuotaFailure").Unpack(quota)
    assert [(v.subject, v.description) for v in quota.violations] == [("key:1", "slow down")]
    assert sent.code == code_pb2.RESOURCE_EXHAUSTED


@given(
    st.text(st.characters(), max_size=3000),
    st.dictionaries(st.text(st.characters()), st.text(st.characters(), max_size=2000), max_size=60),
    st.one_of(st.none(), st.floats()),
)
def test_no_error_is_too_large_or_too_odd_for_trailers(message, pairs, retry_after):
    """Surrogates, NULs, infinities and novels all become a status of less than 4 KiB."""
    error = errors.RateLimited(message, fields=pairs, metadata=pairs, retry_after=retry_after)
    sent = status.to_status(error)
    assert sent.ByteSize() < 4096
    assert len(sent.message.encode()) <= 500
    assert status.from_rpc_error(received(error)).reason == "RATE_LIMITED"


def test_a_long_text_is_cut_between_characters():
    """Cutting bytes leaves no half character behind."""
    assert status.to_status(errors.Invalid("ü" * 1000)).message == "ü" * 250
    assert status.to_status(errors.Invalid("x" + "ü" * 1000)).message == "x" + "ü" * 249


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "UNAVAILABLE"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE"),
        (grpc.StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED"),
        (grpc.StatusCode.CANCELLED, "CANCELLED"),
        (grpc.StatusCode.UNKNOWN, "INTERNAL"),
        (grpc.StatusCode.INVALID_ARGUMENT, "INTERNAL"),
    ],
)
def test_a_failure_of_the_transport_gets_a_reason_and_our_words(code, reason):
    """What gRPC says names addresses; none of it is passed on."""
    error = grpc.aio.AioRpcError(
        code, grpc.aio.Metadata(), grpc.aio.Metadata(), details="failed to connect to 10.0.0.7:50051"
    )
    failure = status.from_rpc_error(error)
    assert (failure.code, failure.reason) == (code, reason)
    assert "10.0.0.7" not in failure.message


@pytest.mark.parametrize("blob", [b"\xff\xff\xff", b"", "text"])
def test_details_that_make_no_sense_are_a_failure_without_details(blob):
    """A broken or empty detail does not break its reader."""
    error = grpc.aio.AioRpcError(
        grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), grpc.aio.Metadata((status.DETAILS_KEY, blob)), details="x"
    )
    assert status.from_rpc_error(error) == status.Failure(grpc.StatusCode.NOT_FOUND, "INTERNAL", "internal error")


def test_a_detail_that_is_broken_inside_is_skipped():
    """One unreadable detail does not hide the others."""
    sent = status.to_status(errors.NotFound("gone", retry_after=2))
    sent.details.add(type_url="type.googleapis.com/google.rpc.BadRequest", value=b"\xff\xff")
    error = grpc.aio.AioRpcError(
        grpc.StatusCode.NOT_FOUND,
        grpc.aio.Metadata(),
        grpc.aio.Metadata((status.DETAILS_KEY, status_pb2.Status.SerializeToString(sent))),
    )
    failure = status.from_rpc_error(error)
    assert (failure.reason, failure.retry_after) == ("NOT_FOUND", 2.0)
