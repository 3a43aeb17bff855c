"""What the programs of our clients do: make a key, stream a chat, read its log entry, revoke the key.

A program prints `key ID`, `answer TEXT`, `log REQUEST_ID TOKENS` and `revoked WHY`. It is held against the gateway.
"""

from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tests.support.documents import named_sample
from tests.support.gateway import Spawned, checked, demo_gateway
from tests.support.tools import ROOT, run

PAGES = ROOT / "docs" / "clients"


@dataclass(frozen=True, slots=True)
class Stage:
    """A gateway, and an owner's client of it."""

    gateway: Spawned
    owner: httpx.Client
    env: dict[str, str]

    def played(self, argv, **variables):
        """Runs a program and asserts that it has done what it tells."""
        said = run(argv, env={**self.env, **variables})
        told = dict(line.split(" ", 1) for line in said.splitlines())
        assert told.keys() == {"key", "answer", "log", "revoked"}, said
        assert told["answer"].startswith("Hello! I am Ingate's demo model.")
        assert told["revoked"] == "unauthorized"
        request_id, tokens = told["log"].split()
        entry = checked(self.owner.get(f"/api/v1/logs/{request_id}"))
        assert (entry["key_id"], entry["total_tokens"]) == (told["key"], int(tokens))
        assert (entry["status_code"], entry["stream"], entry["provider"]) == (200, True, "demo")
        key = checked(self.owner.get(f"/api/v1/keys/{told['key']}"))
        assert key["revoked_at"] is not None
        assert key["scopes"] == ["proxy", "read"]


@contextmanager
def stage(data_dir):
    """Yields a `Stage`."""
    with demo_gateway(data_dir) as gateway:
        email, password = gateway.child.expect(r"sign-in +(\S+) / (\S+)").groups()
        env = {
            "INGATE_URL": gateway.url,
            "INGATE_GRPC": gateway.grpc,
            "INGATE_EMAIL": email,
            "INGATE_PASSWORD": password,
        }
        with httpx.Client(base_url=gateway.url, trust_env=False, verify=False) as owner:
            session = checked(owner.post("/api/v1/auth/login", json={"email": email, "password": password}))
            owner.headers["Authorization"] = f"Bearer {session['token']}"
            yield Stage(gateway, owner, env)


def written(directory, language, name):
    """Writes the program of that name from a language's page into the directory and returns its path."""
    path = directory / name
    path.write_text(named_sample(PAGES / f"{language}.md", name))
    return path
