"""A master key that is lost, or another one: the secrets that it sealed are not given up unasked."""

import base64

import msgspec
import pytest

from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_OPENAI
from gen.ingate.providers.v1.provider_service_pb2 import CreateProviderRequest, ListProvidersRequest
from gen.ingate.providers.v1.provider_service_pb2_grpc import ProviderServiceStub
from ingate.config import Settings
from ingate.core import open_core
from ingate.errors import Unavailable
from ingate.providers import sealed
from ingate.storage import open_database
from tests.support.tenants import sign_up

ANOTHER = base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def own(settings, migrated_postgres, database_kind, tmp_path):
    """Settings of a directory and a database of this test's own."""
    url = "" if database_kind == "sqlite" else migrated_postgres
    return msgspec.structs.replace(settings, data_dir=str(tmp_path), database_url=url)


async def store(settings, *names):
    """Stores providers with keys, and returns the call metadata of their owner."""
    async with open_core(settings) as core:
        tenant = await sign_up(core.channel, core.gateway_token)
        for name in names:
            await create(core, tenant.owner, name)
        return tenant


async def create(core, owner, name):
    request = CreateProviderRequest(name=name, type=PROVIDER_TYPE_OPENAI, api_key="sk-canary")
    await ProviderServiceStub(core.channel).CreateProvider(request, metadata=owner)


async def refusal(settings):
    with pytest.raises(Unavailable) as refused:
        async with open_core(settings):
            raise AssertionError("it started")
    return refused.value.message


@pytest.mark.parametrize("content", [None, "", "\n"])
async def test_a_lost_master_key_is_not_replaced(own, tmp_path, content):
    """The start is refused with both ways out, nothing is written, and with the file it starts again."""
    await store(own, "one", "two")
    path = tmp_path / "master.key"
    kept = path.read_text()
    path.unlink() if content is None else path.write_text(content)
    said = await refusal(own)
    assert said == (
        f"the master key is lost, and the database holds 2 stored provider keys ({path}): put back the file"
        " (or state the right INGATE_MASTER_KEY), or give those keys up with `ingate providers discard-keys`"
        " and store them anew"
    )
    assert (path.read_text() if path.exists() else None) == content
    path.write_text(kept)
    async with open_core(own):
        pass
    path.unlink()
    async with open_core(msgspec.structs.replace(own, master_key=kept.strip())):
        assert not path.exists()


async def test_another_master_key_is_refused(own, tmp_path):
    """From the settings or in the file; it would seal what comes next, and open nothing of what was."""
    await store(own, "one")
    said = await refusal(msgspec.structs.replace(own, master_key=ANOTHER))
    assert "is not the one that sealed the 1 stored provider keys (INGATE_MASTER_KEY): " in said
    (tmp_path / "master.key").write_text(ANOTHER)
    assert "is not the one that sealed the 1 stored" in await refusal(own)


async def test_without_secrets_a_key_is_made(own, tmp_path):
    """There is nothing to lose."""
    await store(own)
    (tmp_path / "master.key").unlink()
    async with open_core(own) as core:
        assert core.made_master_key


async def test_keys_that_are_given_up(own, tmp_path):
    """Those that do not open are removed, the providers stay, and the gateway starts; those that open are kept."""
    tenant = await store(own, "one", "two")
    (tmp_path / "master.key").unlink()
    async with open_database(own) as database:
        assert sorted(row.name for row in await sealed.discard(database, None)) == ["one", "two"]
    async with open_core(own) as core:
        await create(core, tenant.owner[-1:], "three")
        listed = await ProviderServiceStub(core.channel).ListProviders(
            ListProvidersRequest(), metadata=tenant.owner[-1:]
        )
    assert {it.name: it.has_api_key for it in listed.items} == {"one": False, "three": True, "two": False}
    key = base64.b64decode((tmp_path / "master.key").read_text())
    async with open_database(own) as database:
        assert await sealed.discard(database, key) == []


def test_a_file_that_holds_no_key_is_named(tmp_path):
    """By its path."""
    from ingate.errors import BadRequest
    from ingate.vault import find_master_key

    (tmp_path / "master.key").write_bytes(b"\xff")
    with pytest.raises(BadRequest) as refused:
        find_master_key(Settings().master_key, tmp_path)
    assert refused.value.message == f"the master key in {tmp_path}/master.key must be 32 bytes in base64"
