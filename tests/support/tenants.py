"""Organisations for tests of the core: each test signs up its own, so that tests share a core and nothing else."""

import itertools
import uuid
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from gen.ingate.access.v1 import access_pb2
from gen.ingate.auth.v1.auth_service_pb2 import SignupRequest, SignupResponse
from gen.ingate.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest
from gen.ingate.keys.v1.key_service_pb2_grpc import KeyServiceStub
from ingate.rpc.status import Failure, from_rpc_error

PASSWORD = "correct horse battery"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organisation and its owner, as a gateway passes them on.

    owner, key: call metadata of the owner's session and of the first key, whose role is member. via: what says which
    gateway speaks and for which address.
    """

    channel: Any
    answer: SignupResponse
    via: tuple[tuple[str, str], ...]

    @property
    def org_id(self):
        return self.answer.org.id

    @property
    def email(self):
        return self.answer.user.email

    @property
    def owner(self):
        return (*self.via, ("authorization", f"Bearer {self.answer.token}"))

    @property
    def key(self):
        return (*self.via, ("x-ingate-key", self.answer.api_key))

    async def issue(self, role=access_pb2.ROLE_OWNER, scopes=(), **fields):
        """Creates a key and returns the answer and the metadata of a call with it."""
        request = CreateKeyRequest(name="issued", role=role, scopes=scopes, **fields)
        answer = await KeyServiceStub(self.channel).CreateKey(request, metadata=self.owner)
        return answer, (*self.via, ("x-ingate-key", answer.key))


def unique(prefix="acme"):
    """Returns a slug that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def via_gateway(token):
    """Returns the metadata of a gateway that speaks for an address which nobody else has, so that none is throttled."""
    number = next(_numbers)
    return (("x-ingate-gateway", token), ("x-ingate-address", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"))


def signup_request(**fields):
    """Returns a request for a new organisation; what is not given is valid and unique."""
    slug = unique()
    return SignupRequest(**{"email": f"owner@{slug}.example", "password": PASSWORD, "org_slug": slug} | fields)


async def sign_up(channel, token, **fields):
    """Returns a new Tenant."""
    via = via_gateway(token)
    answer = await AuthServiceStub(channel).Signup(signup_request(**fields), metadata=via)
    return Tenant(channel, answer, via)


async def refusal(call) -> Failure:
    """Returns how a call failed, which it must."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)
