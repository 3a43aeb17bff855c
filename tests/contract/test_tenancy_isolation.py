"""Whatever one organisation names of another's, in whatever place, does not exist and stays as it is."""

from collections import defaultdict

from grpc import StatusCode
from sqlalchemy import select

from gen.ingate.access.v1.access_pb2 import ROLE_ADMIN
from gen.ingate.auth.v1.auth_service_pb2 import ListSessionsRequest
from ingate.db import Base
from rest_facade.dialects.ingate import INGATE
from tests.support import tenancy
from tests.support.possessions import MARK, fill
from tests.support.probes import as_http, probes

core_settings = {"rate_limit_enterprise": 10_000_000}
site, grpc_channel = tenancy.site, tenancy.grpc_channel

HIDDEN = {"id": {404}, "reference": {400, 404}, "filter": {200}}
STATUS = {
    StatusCode.OK: 200,
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ALREADY_EXISTS: 409,
}


async def stored(site, org):
    """Returns every row that belongs to an organisation, and the people in it."""
    found = {}
    async with site.core.database.read() as db:
        for table in Base.metadata.sorted_tables:
            if "org_id" in table.c:
                # When a key was last used is written by and by.
                query = select(*(column for column in table.c if column.name != "last_used_at"))
                query = query.where(table.c.org_id == org.id)
                found[table.name] = sorted(map(repr, await db.execute(query)))
        found["orgs"] = [
            repr(row) for row in await db.execute(select(Base.metadata.tables["orgs"]).filter_by(id=org.id))
        ]
    assert all(found[name] for name in ("keys", "teams", "apps", "invitations", "exchanges", "providers", "members"))
    return found


class Judge:
    """Collects what is wrong with answers to probes."""

    def __init__(self, foreign, slug):
        self.wrong = []
        self.seen = 0
        self._mark = f"{MARK}-{slug}"
        self._ids = set(foreign.values())
        self._kept = defaultdict(set)  # by service, the text that the caller has put into things of its own

    def judge(self, probe, status, text):
        """Notes an answer that tells of the foreign organisation, or that is not what a place must answer."""
        self.seen += 1
        where = f"{probe.rpc.name}.{probe.field}: {status}"
        sent = {getattr(value, "strip", str)() for value in _texts(probe.request)}
        if probe.place == "text" and status < 300:
            self._kept[probe.rpc.service] |= sent
        sent |= self._kept[probe.rpc.service]
        if status not in HIDDEN.get(probe.place, {200, 201, 204, 400, 403, 404, 409, 422}):
            self.wrong.append(where)
        if probe.place == "filter" and ("request_id" in text or "resource_type" in text) and probe.fits:
            self.wrong.append(f"{where} with items")
        if status < 300 and (self._mark in text and self._mark not in "".join(sent)):
            self.wrong.append(f"{where} shows foreign text")
        self.wrong += [f"{where} shows {found}" for found in self._ids if found in text and found not in sent]


def _texts(request):
    for field, value in request.ListFields():
        if field.type == field.TYPE_STRING:
            yield from value if field.is_repeated else [value]


async def test_no_rpc_tells_or_changes_what_is_anothers(site):
    """Every foreign id in every place of every rpc, with an owner's session and with an admin's key."""
    mine, theirs = await site.found(), await site.found()
    own, foreign = await fill(site, mine), await fill(site, theirs)
    key = await site.key(mine, role=ROLE_ADMIN)
    before = await stored(site, theirs)
    judge = Judge(foreign, theirs.slug)
    for probe in probes(own, foreign, lambda: f"fresh-{site.number()}"):
        # A thing of the right kind is tried with both; the others only have to be nothing.
        for caller in (mine.owner, key) if probe.fits else (mine.owner,):
            if caller is key and probe.rpc.access.person:
                continue
            code, answer = await site.outcome(probe.request, caller)
            if probe.rpc.name == "Forward" and caller is mine.owner:
                continue
            judge.judge(probe, STATUS.get(code, 500), str(answer))
    assert not sorted(set(judge.wrong))
    assert judge.seen > 400
    assert await stored(site, theirs) == before
    sessions = await site.call(ListSessionsRequest(), theirs.owner)
    assert sessions.total == 1


async def test_no_route_tells_or_changes_what_is_anothers(site, http):
    """The same over REST: in paths, queries and bodies; what is hidden is 404, never 403."""
    mine, theirs = await site.found(), await site.found()
    own, foreign = await fill(site, mine), await fill(site, theirs)
    key = await site.key(mine, role=ROLE_ADMIN)
    before = await stored(site, theirs)
    judge = Judge(foreign, theirs.slug)
    for probe in probes(own, foreign, lambda: f"fresh-{site.number()}"):
        if not (probe.fits or site.core.database.embedded):
            # Ids of the wrong kind are tried on the other database.
            continue
        full_name = f"{probe.rpc.service}.{probe.rpc.name}"
        for route in (route for route in INGATE.routes if route.rpc == full_name):
            said = as_http(route, probe)
            if said is None:
                continue
            verb, path, query, body = said
            who = key if probe.fits and not probe.rpc.access.person else mine.owner
            asked = {"params": query, "json": body, "headers": dict(who.metadata)}
            async with http.stream(verb, path, **asked) as response:
                # A stream of events is judged by the first.
                text = await anext(response.aiter_text(), "") if route.events else (await response.aread()).decode()
            judge.judge(probe, response.status_code, text)
    assert not sorted(set(judge.wrong))
    assert judge.seen > 50
    assert await stored(site, theirs) == before
