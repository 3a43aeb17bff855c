"""The parts of an ExchangeRecord, in wire form, that a key, a provider and a request head determine.

Many records have them in common, so each is made once and remembered. They are joined as they are, because a protobuf
parser merges the occurrences of a submessage.
"""

from typing import Any, cast
from weakref import WeakKeyDictionary

from msgspec import Struct

from gen.ingate.exchanges.v1.exchange_pb2 import Exchange
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord
from ingate.formats import cloud_of
from ingate.logs import mask
from ingate.proxy.headers import also_recorded, recorded
from ingate.proxy.open_exchange import OpenExchange
from ingate.proxy.request_head import RequestHead
from ingate.remembered import Remembered


class HeadStated(Struct, frozen=True):
    """The part of a record that a head determines, but for whom it names, and its headers as JSON.

    Secrets are masked in both.
    """

    stated: bytes
    headers: bytes


def of_exchange(exchange: OpenExchange, head: HeadStated) -> bytes:
    """Returns the parts that an exchange's key, provider and head determine.

    The head comes last, so that its `price_provider` wins over the provider's.
    """
    grant, target, attempts = exchange.grant, exchange.target, exchange.attempts
    of_key = _keys[grant.org_id, grant.key_id, grant.app_id, grant.team_id, exchange.source, exchange.cache]
    if target is None:
        return of_key + head.stated
    answered = bool(attempts) and attempts[-1].status is not None
    return b"%b%b%b" % (of_key, _providers[target.name, target.price_provider, answered], head.stated)


def of_head(head: RequestHead) -> HeadStated:
    """Returns the part that a head determines. It is remembered for a head that many requests share."""
    if (shared := head.shared) is not None:
        common = of_head(shared)
        return HeadStated(common.stated, also_recorded(common.headers, head.own))
    found = _heads.get(head)
    if found is None:
        exchange = Exchange(method=head.method, path=mask(head.path))
        record = ExchangeRecord(exchange=exchange, price_provider=cloud_of(head.format, head.path))
        found = HeadStated(record.SerializeToString(), recorded(head.headers))
        _heads[head] = found
    return found


def attribution(head: RequestHead) -> tuple[str | None, str | None]:
    """Returns the user and the session that a head names, with secrets masked. They differ from request to request."""
    return (head.user_id and mask(head.user_id)) or None, (head.session_id and mask(head.session_id)) or None


def _of_key(facts: tuple[str, str, str, str, int, int]) -> bytes:
    org_id, key_id, app_id, team_id, source, cache = facts
    exchange = Exchange(key_id=key_id, app_id=app_id or None, team_id=team_id or None)
    exchange.source, exchange.cache = cast("Any", (source, cache))
    return ExchangeRecord(org_id=org_id, exchange=exchange).SerializeToString()


def _of_provider(facts: tuple[str, str, bool]) -> bytes:
    name, price_provider, answered = facts
    exchange = Exchange(provider=name, served_by=name if answered else "")
    return ExchangeRecord(exchange=exchange, price_provider=price_provider).SerializeToString()


_heads: WeakKeyDictionary[RequestHead, HeadStated] = WeakKeyDictionary()
_keys = Remembered(_of_key, lambda facts: sum(map(len, facts[:4])))
_providers = Remembered(_of_provider, lambda facts: len(facts[0]) + len(facts[1]))
