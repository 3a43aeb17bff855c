"""Provider rows as the messages that describe them."""

from gen.ingate.providers.v1 import provider_pb2, route_pb2
from ingate import clock
from ingate.providers.tables import Provider
from ingate.vault import Vault


def context(row: Provider) -> str:
    """Returns what a provider's stored key is bound to."""
    return f"provider|{row.org_id}|{row.name}"


def provider(row: Provider) -> provider_pb2.Provider:
    """Returns the message that callers see."""
    return provider_pb2.Provider(
        name=row.name,
        type=row.type,
        base_url=row.base_url,
        auth_mode=row.auth_mode,
        has_api_key=row.sealed_key is not None,
        auth_header=row.auth_header,
        auth_format=row.auth_format,
        is_default=row.is_default,
        enabled=row.enabled,
        timeout_ms=row.timeout_ms,
        models=row.models,
        headers=row.headers,
        created_at=clock.to_proto(row.created_at),
        updated_at=clock.to_proto(row.updated_at),
    )


def route(row: Provider, vault: Vault) -> route_pb2.Route:
    """Returns the message that gateways see, with the credential in the clear."""
    return route_pb2.Route(
        name=row.name,
        type=row.type,
        base_url=row.base_url,
        auth_mode=row.auth_mode,
        api_key=vault.open(row.sealed_key, context(row)) if row.sealed_key else "",
        auth_header=row.auth_header,
        auth_format=row.auth_format,
        is_default=row.is_default,
        timeout_ms=row.timeout_ms,
        models=row.models,
        headers=row.headers,
    )
