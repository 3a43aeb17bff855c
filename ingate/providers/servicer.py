"""ProviderService: providers of the calling organisation, and one call to see that they work."""

from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gen.ingate.providers.v1 import provider_service_pb2 as pb
from gen.ingate.providers.v1 import provider_service_pb2_grpc
from gen.ingate.providers.v1.provider_pb2 import AUTH_MODE_API_KEY, PROVIDER_TYPE_DEMO, ProviderType
from ingate import clock
from ingate.db import Database
from ingate.errors import BadRequest, Conflict, NotFound
from ingate.identity import audit
from ingate.identity.changes import Changes
from ingate.identity.tables import Org
from ingate.net.addresses import EVERYWHERE, Policy
from ingate.page import fitted, page
from ingate.providers import addresses, messages, outgoing
from ingate.providers.catalogue import KINDS
from ingate.providers.probe import tried
from ingate.providers.tables import Provider
from ingate.proxy.ports import Transport
from ingate.rpc.principal import principal
from ingate.vault import Vault

DEFAULT_TIMEOUT_MS = 300_000
MAX_TEXT = 1024


class ProviderServicer(provider_service_pb2_grpc.ProviderServiceServicer):
    """Providers in the database; every change is announced to the gateways."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        changes: Changes,
        transports: dict[bool, Transport],
        *,
        policy: Policy,
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
        if request.type not in KINDS:
            raise BadRequest.field("type", "must be stated")
        kind = KINDS[request.type]
        now = clock.now()
        row = Provider(
            org_id=principal().org_id,
            name=request.name,
            type=request.type,
            base_url=kind.base_url,
            auth_mode=AUTH_MODE_API_KEY,
            sealed_key=None,
            auth_header=kind.auth_header,
            auth_format=kind.auth_format,
            is_default=False,
            enabled=True,
            timeout_ms=DEFAULT_TIMEOUT_MS,
            models=[],
            headers={},
            created_at=now,
            updated_at=now,
        )
        self._apply(row, request)
        try:
            async with self._changes.write(row.org_id) as db:
                if row.is_default:
                    await _clear_default(db, row.org_id)
                db.add(row)
                audit.record(db, "provider.create", row.name)
        except IntegrityError:
            raise Conflict(f"name {row.name} is taken", fields={"name": "is taken"}) from None
        return pb.CreateProviderResponse(provider=messages.provider(row))

    async def ListProviders(self, request: pb.ListProvidersRequest, context: Any) -> pb.ListProvidersResponse:
        """Returns a page, by name."""
        limit, offset = page(request)
        mine = Provider.org_id == principal().org_id
        async with self._database.read() as db:
            rows = await db.scalars(select(Provider).where(mine).order_by(Provider.name).limit(limit).offset(offset))
            total = await db.scalar(select(func.count()).select_from(Provider).where(mine))
        items, limit = fitted([messages.provider(row) for row in rows], limit)
        return pb.ListProvidersResponse(items=items, total=total, limit=limit, offset=offset)

    async def GetProvider(self, request: pb.GetProviderRequest, context: Any) -> pb.GetProviderResponse:
        """Returns one provider."""
        async with self._database.read() as db:
            return pb.GetProviderResponse(provider=messages.provider(await _find(db, request.name)))

    async def UpdateProvider(self, request: pb.UpdateProviderRequest, context: Any) -> pb.UpdateProviderResponse:
        """Changes what the request states. A stored key is forgotten when it would go to another place than before."""
        async with self._changes.write(principal().org_id) as db:
            if request.is_default:
                await _clear_default(db, principal().org_id)
            row = await _find(db, request.name, lock=True)
            key_goes = _key_goes(row)
            if request.HasField("type"):
                row.type = request.type
            self._apply(row, request)
            moved = _key_goes(row) != key_goes and not request.HasField("api_key") and row.sealed_key is not None
            if moved:
                row.sealed_key = None
            row.updated_at = clock.now()
            audit.record(db, "provider.update", row.name, **({"api_key": "removed"} if moved else {}))
        return pb.UpdateProviderResponse(provider=messages.provider(row))

    async def DeleteProvider(self, request: pb.DeleteProviderRequest, context: Any) -> pb.DeleteProviderResponse:
        """Deletes one provider."""
        async with self._changes.write(principal().org_id) as db:
            await db.delete(await _find(db, request.name, lock=True))
            audit.record(db, "provider.delete", request.name)
        return pb.DeleteProviderResponse()

    async def TestProvider(self, request: pb.TestProviderRequest, context: Any) -> pb.TestProviderResponse:
        """Asks the provider for its models, outside any transaction."""
        async with self._database.read() as db:
            row = await _find(db, request.name)
        return await tried(messages.route(row, self._vault), self._policy, self._transports, org=row.org_id)

    def _apply(self, row: Provider, request: pb.CreateProviderRequest | pb.UpdateProviderRequest) -> None:
        """Copies what the request states onto the row and judges the result."""
        for name in ("auth_mode", "auth_header", "auth_format", "is_default", "enabled", "timeout_ms"):
            if request.HasField(name):
                setattr(row, name, getattr(request, name))
        if request.HasField("base_url") and row.type in KINDS:
            row.base_url = request.base_url or KINDS[row.type].base_url
        if request.models:
            row.models = [_short("models", model) for model in request.models]
        if request.headers:
            row.headers = outgoing.headers(request.headers)
        if request.HasField("api_key"):
            key = outgoing.key(request.api_key)
            row.sealed_key = self._vault.seal(key, messages.context(row)) if key else None
        self._judge(row)

    def _judge(self, row: Provider) -> None:
        """Raises BadRequest naming the field that does not fit the others."""
        if row.type not in KINDS or not row.auth_mode:
            raise BadRequest.field("auth_mode" if row.type in KINDS else "type", "must be stated")
        if row.type == PROVIDER_TYPE_DEMO and not self._demo:
            raise BadRequest.field("type", "demo needs a gateway started with --demo")
        if not row.base_url:
            name = ProviderType.Name(row.type).removeprefix("PROVIDER_TYPE_").lower().replace("_", "-")
            raise BadRequest.field("base_url", f"must be stated for type {name}")
        if row.type != PROVIDER_TYPE_DEMO:
            addresses.parse(row.base_url, self._policy)
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
        origin, _ = addresses.parse(row.base_url, EVERYWHERE)
    except BadRequest:
        return None
    return origin.scheme, origin.host, origin.port, row.auth_header.lower(), row.auth_format


def _short(field: str, text: str) -> str:
    if not 0 < len(text) <= MAX_TEXT or not text.isprintable():
        raise BadRequest.field(field, f"must be 1 to {MAX_TEXT} printable characters each")
    return text
