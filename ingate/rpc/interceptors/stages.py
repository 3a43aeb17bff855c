"""The stages of every rpc, in their order, and why the order is this one."""

from collections.abc import Callable

from ingate import clock
from ingate.limits.window import RateWindows
from ingate.net.forwarded import TrustedProxies
from ingate.rpc.door import Door
from ingate.rpc.interceptors.access_log import ACCESS_LOG
from ingate.rpc.interceptors.announce import ANNOUNCE
from ingate.rpc.interceptors.authenticate import Authenticator, authenticate
from ingate.rpc.interceptors.authorise import AUTHORISE
from ingate.rpc.interceptors.chain import Stage
from ingate.rpc.interceptors.failures import FAILURES
from ingate.rpc.interceptors.malformed import MALFORMED_REQUESTS
from ingate.rpc.interceptors.quota import quota
from ingate.rpc.interceptors.receive import admit, receive
from ingate.rpc.interceptors.required import REQUIRED
from ingate.rpc.interceptors.standing import Standing
from ingate.rpc.interceptors.tenancy import Memberships, tenancy


def stages(
    authenticator: Authenticator,
    memberships: Memberships,
    *,
    gateway_token: str,
    windows: RateWindows,
    now: Callable[[], int] = clock.now,
    door: Door | None = None,
    refused: Stage | None = None,
    standing: Standing | None = None,
    proxies: TrustedProxies | None = None,
) -> tuple[Stage, ...]:
    """Returns the stages, outermost first, with a door those that receive.

    `refused`: see `refusals`. `standing`: the streams that are judged again. `proxies`: see `authenticate`.
    """
    who, where = authenticate(authenticator, gateway_token, proxies), tenancy(memberships)
    return (
        # Outermost: no exception of a stage or a servicer may reach gRPC, which would send its text.
        FAILURES,
        # Around all that can refuse a call, so that refused calls are in the log as well.
        ACCESS_LOG,
        # Before whatever may refuse the call or take its time; behind the two above, for its caller may be gone.
        ANNOUNCE,
        # The same for what hears of refusals.
        *([] if refused is None else [refused]),
        # Before a credential is looked up, which costs more than to turn a caller away.
        *((admit(door),) if door else ()),
        # Before whatever asks who is calling.
        who,
        # As soon as a key is known: every answer to it carries the counters, and calls that are forbidden or
        # malformed use up the minute too.
        quota(windows, now),
        # When it is known who calls, and before anybody looks at the request.
        *((receive(door),) if door else ()),
        # A role is a role in an organisation, so which one comes before what it allows.
        where,
        # Before the request is looked at: who may not call learns nothing of what it should look like.
        AUTHORISE,
        # As soon as the caller may hear what is wrong with it.
        MALFORMED_REQUESTS,
        # Behind all that refuses, so that servicers find requests as the protos promise.
        REQUIRED,
        # Around the servicer alone: what has been refused does not last.
        *([] if standing is None else [standing.stage((who, where, AUTHORISE))]),
    )
