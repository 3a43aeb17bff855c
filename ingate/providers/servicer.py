"""ProviderService: providers of the calling organisation, and one call to see that they work."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.providers.v1 import provider_service_pb2 as pb
from gen.ingate.providers.v1 import provider_service_pb2_grpc
from gen.ingate.providers.v1.provider_pb2 import AUTH_MODE_API_KEY, PROVIDER_TYPE_DEMO, ProviderType
from ingate import clock
from ingate.db import Database
from ingate.errors import BadRequest, Conflict, NotFound
from ingate.identity import audit
from ingate.identity.changes import Changes, Subject
from ingate.identity.tables import Org
from ingate.net.addresses import EVERYWHERE, AddressPolicy
from ingate.page import Order
from ingate.provider_types import KINDS
from ingate.providers import messages
from ingate.providers.probe import tried
from ingate.providers.tables import Provider
from ingate.proxy import base_urls, outgoing
from ingate.proxy.ports import Transport
from ingate.rpc.principal import principal
from ingate.rpc.updates import stated
from ingate.vault import Vault

DEFAULT_TIMEOUT_MS = 300_000
MAX_TEXT = 1024
BY_NAME = Order(Provider.name)

_PLAIN = frozenset({"auth_mode", "is_default", "enabled"})
_DEFAULTED = frozenset({"base_url", "auth_header", "auth_format", "timeout_ms", "models", "headers", "api_key"})


class ProviderServicer(provider_service_pb2_grpc.ProviderServiceServicer):
    """Providers in the database; every change is announced to the gateways."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        changes: Changes,
        transports: Mapping[bool, Transport],
        *,
        policy: AddressPolicy,
        demo: bool,
    ) -> None:
        self._database = database
        self._vault = vault
        self._changes = changes
        self._transports = transports
        self._policy = policy
        self._demo = demo

    async def CreateProvider(self, request: pb.CreateProviderRequest, context: Any) -> pb.CreateProviderResponse:
        """Stores a provider with the defaults of its type where the request is silent."""
        now = clock.now()
        row = Provider(
            org_id=principal().org_id,
            name=request.name,
            type=request.type,
            auth_mode=AUTH_MODE_API_KEY,
            is_default=False,
            enabled=True,
            created_at=now,
            updated_at=now,
        )
        self._apply(row, request, _DEFAULTED | {field.name for field, _ in request.ListFields()})
        try:
            async with self._changes.write(row.org_id, Subject.POLICY) as db:
                if row.is_default:
                    await _clear_default(db, row.org_id)
                db.add(row)
                audit.record(db, "provider.create", row.name)
        except IntegrityError:
            raise Conflict(f"name {row.name} is taken", fields={"name": "is taken"}) from None
        return pb.CreateProviderResponse(provider=messages.provider(row))

    async def ListProviders(self, request: pb.ListProvidersRequest, context: Any) -> pb.ListProvidersResponse:
        """Returns a page, by name."""
        org_id = principal().org_id
        async with self._database.read() as db:
            found = await BY_NAME.page(db, select(Provider).where(Provider.org_id == org_id), request, org_id)
        return pb.ListProvidersResponse(**found.answer(messages.provider(row[0]) for row in found.rows))

    async def GetProvider(self, request: pb.GetProviderRequest, context: Any) -> pb.GetProviderResponse:
        """Returns one provider."""
        async with self._database.read() as db:
            return pb.GetProviderResponse(provider=messages.provider(await _find(db, request.name)))

    async def UpdateProvider(self, request: pb.UpdateProviderRequest, context: Any) -> pb.UpdateProviderResponse:
        """Changes what the request states. A stored key is forgotten when it would go to another place than before."""
        async with self._changes.write(principal().org_id, Subject.POLICY) as db:
            if request.is_default:
                await _clear_default(db, principal().org_id)
            row = await _find(db, request.name, lock=True)
            changes = stated(request)
            key_goes = _key_goes(row)
            if "type" in changes:
                row.type = request.type
            self._apply(row, request, changes)
            moved = _key_goes(row) != key_goes and "api_key" not in changes and row.sealed_key is not None
            if moved:
                row.sealed_key = None
            row.updated_at = clock.now()
            said = {"api_key": "removed"} if moved else {}
            audit.record(db, "provider.update", row.name, changed=audit.names(changes), **said)
        return pb.UpdateProviderResponse(provider=messages.provider(row))

    async def DeleteProvider(self, request: pb.DeleteProviderRequest, context: Any) -> pb.DeleteProviderResponse:
        """Deletes one provider."""
        async with self._changes.write(principal().org_id, Subject.POLICY) as db:
            await db.delete(await _find(db, request.name, lock=True))
            audit.record(db, "provider.delete", request.name)
        return pb.DeleteProviderResponse()

    async def TestProvider(self, request: pb.TestProviderRequest, context: Any) -> pb.TestProviderResponse:
        """Asks the provider for its models, outside any transaction."""
        async with self._database.read() as db:
            row = await _find(db, request.name)
        return await tried(messages.route(row, self._vault), self._policy, self._transports, org=row.org_id)

    def _apply(
        self, row: Provider, request: pb.CreateProviderRequest | pb.UpdateProviderRequest, changes: Collection[str]
    ) -> None:
        """Gives the fields that change what the request has for them, or else their default, and judges the result."""
        kind = KINDS.get(row.type)
        if kind is None:
            raise BadRequest.field("type", "must be stated")
        for name in _PLAIN.intersection(changes):
            setattr(row, name, getattr(request, name))
        for name, default in (
            ("auth_header", kind.auth_header),
            ("auth_format", kind.auth_format),
            ("timeout_ms", DEFAULT_TIMEOUT_MS),
        ):
            if name in changes:
                setattr(row, name, getattr(request, name) if request.HasField(name) else default)
        if "base_url" in changes:
            row.base_url = request.base_url or kind.base_url
        if "models" in changes:
            row.models = [_short("models", model) for model in request.models]
        if "headers" in changes:
            row.headers = outgoing.headers(request.headers)
        if "api_key" in changes:
            key = outgoing.key(request.api_key)
            row.sealed_key = self._vault.seal(key, messages.context(row)) if key else None
        self._judge(row)

    def _judge(self, row: Provider) -> None:
        """Raises BadRequest naming the field that does not fit the others."""
        if not row.auth_mode:
            raise BadRequest.field("auth_mode", "must be stated")
        if row.type == PROVIDER_TYPE_DEMO and not self._demo:
            raise BadRequest.field("type", "demo needs a gateway started with --demo")
        if not row.base_url:
            name = ProviderType.Name(row.type).removeprefix("PROVIDER_TYPE_").lower().replace("_", "-")
            raise BadRequest.field("base_url", f"must be stated for type {name}")
        if row.type != PROVIDER_TYPE_DEMO:
            base_urls.parse(row.base_url, self._policy)
        outgoing.check_place(row.auth_header, row.auth_format)


async def _find(db: AsyncSession, name: str, *, lock: bool = False) -> Provider:
    row = await db.get(Provider, (principal().org_id, name), with_for_update=lock or None)
    if row is None:
        raise NotFound.of("provider", name)
    return row


async def _clear_default(db: AsyncSession, org_id: str) -> None:
    """Makes room for another default. Whoever does so waits at the organisation's row, or two would find room."""
    await db.execute(select(Org.id).where(Org.id == org_id).with_for_update(key_share=True))
    await db.execute(update(Provider).where(Provider.org_id == org_id, Provider.is_default).values(is_default=False))


def _key_goes(row: Provider) -> tuple[str, str, int, str, str] | None:
    """Returns where a row sends its key: scheme, host, port, header and format. None where nothing can be sent to."""
    if row.type == PROVIDER_TYPE_DEMO:
        return None
    try:
        origin, _ = base_urls.parse(row.base_url, EVERYWHERE)
    except BadRequest:
        return None
    return origin.scheme, origin.host, origin.port, row.auth_header.lower(), row.auth_format


def _short(field: str, text: str) -> str:
    if not 0 < len(text) <= MAX_TEXT or not text.isprintable():
        raise BadRequest.field(field, f"must be 1 to {MAX_TEXT} printable characters each")
    return text
