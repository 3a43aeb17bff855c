"""A gateway process seen from outside: started with compiled code, asked over REST, its records read page by page.

Knows no provider; `tests.support.gateway` says how the process is started.
"""

import atexit
import functools
import shutil
import tempfile

import httpx

from tests.support.gateway import checked, demo_gateway
from tests.support.process import Child, ingate_argv
from tests.support.waiting import eventually

ASK = {"model": "demo", "messages": [{"role": "user", "content": "Say hello."}]}
"""What the demo model is asked, whole; with `"stream": True` it streams."""

PAGE = 200


def spawn(data_dir, *flags, env=None):
    """`demo_gateway` with compiled code kept for the next start, as installations have it."""
    return demo_gateway(data_dir, *flags, env={**compiled(), **(env or {})})


def command(*words, env=None, cwd=None):
    """Starts an `ingate` command and returns its `Child`."""
    options = {} if cwd is None else {"cwd": cwd}
    return Child(ingate_argv(*map(str, words)), env={**compiled(), **(env or {})}, **options)


@functools.cache
def _cache():
    directory = tempfile.mkdtemp(prefix="ingate-pycache-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def compiled():
    """Returns the environment in which Python keeps compiled code, away from the checkout."""
    return {"PYTHONDONTWRITEBYTECODE": None, "PYTHONPYCACHEPREFIX": _cache()}


def client(spawned, **headers):
    """Returns an httpx client of the gateway with the demo organisation's key; its paths are relative."""
    headers = {"X-Ingate-Key": spawned.key, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx.AsyncClient(base_url=spawned.url, headers=headers, timeout=30.0, trust_env=False, verify=False)


async def add_provider(spawned, upstream_url, name="scripted"):
    """Signs in as the demo's owner and stores a provider of type openai; calls name it in X-Ingate-Provider."""
    found = spawned.child.expect(r"sign-in +(\S+) / (\S+)")
    async with httpx.AsyncClient(base_url=spawned.url, trust_env=False, verify=False) as http:
        login = {"email": found[1], "password": found[2], "org_slug": "demo"}
        token = checked(await http.post("/api/v1/auth/login", json=login))["token"]
        provider = {"name": name, "type": "openai", "base_url": upstream_url, "api_key": "sk-upstream"}
        checked(await http.post("/api/v1/providers", json=provider, headers={"Authorization": f"Bearer {token}"}))


async def ask(http, **fields):
    """Makes one call to the demo model, which must be answered with 200, and returns the id of its record."""
    answer = await http.post("/v1/chat/completions", json={**ASK, **fields})
    assert answer.status_code == 200, answer.text
    assert not fields.get("stream") or answer.text.rstrip().endswith("data: [DONE]")
    return answer.headers["x-ingate-request-id"]


async def recorded(http):
    """Returns every log entry of the organisation by request id, paging by cursor; asserts that none comes twice."""
    entries, cursor = {}, {}
    while True:
        page = checked(await http.get("/api/v1/logs", params={"limit": PAGE, "count": "true", **cursor}))
        for entry in page["items"]:
            assert entry["request_id"] not in entries
            entries[entry["request_id"]] = entry
        if page["next_cursor"] is None:
            assert page["total"] == len(entries)
            return entries
        cursor = {"cursor": page["next_cursor"]}


async def settled(http, ids, timeout=40.0):  # noqa: ASYNC109 - handed on to the poll
    """Waits until each of the ids is on record. Raises AssertionError."""
    wanted = set(ids)

    async def all_there():
        return wanted <= set(await recorded(http))

    await eventually(all_there, timeout, "everything is on record")
