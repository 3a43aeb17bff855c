"""Each official client with each thing that it does, against the demo model of a gateway as a newcomer starts it.

One table: clients by features. A client has a cell for what it offers.
"""

import pytest
import pytest_asyncio

from ingate.providers.demo.names import MODELS
from tests.e2e.clients.official import CLIENTS, Trip
from tests.support.gateway import gateway

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # Google's client subclasses aiohttp's session, which aiohttp advises against.
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]

HELLO = "Hello! I am Ingate's demo model."
FEATURES = {
    "chat": lambda said: said.startswith(HELLO),
    "stream": lambda said: said.startswith(HELLO),
    "tools": lambda said: "fog in Oslo" in said and "fog in Paris" in said,
    "structured": lambda found: found == Trip(city="demo", days=1),
    "models": lambda names: set(MODELS) <= set(names),
}
"""What a client does, and whether it went well."""
TABLE = [(client, feature) for client in CLIENTS for feature in FEATURES if hasattr(CLIENTS[client], feature)]
BAD_KEYS = {"unknown": "sk-ingate-" + "x" * 43, "another vendor's": "sk-proj-abcdefghijklmnop", "no key at all": "none"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def org():
    async with gateway(demo=True, grpc=False) as gw:
        yield await gw.signup()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(org):
    """Returns a client by its name and key, made once: some take a second to load certificates that nothing needs."""
    made = {}

    def get(name, key=org.key):
        if (name, key) not in made:
            made[name, key] = CLIENTS[name](org.gateway.url, key)
        return made[name, key]

    yield get
    for each in made.values():
        await each.close()


async def test_the_table_is_whole():
    """Every client chats, streams, calls tools and obeys a schema; but one lists models."""
    assert len(TABLE) == len(CLIENTS) * len(FEATURES) - 1


@pytest.mark.parametrize(("name", "feature"), TABLE, ids=[" ".join(cell) for cell in TABLE])
async def test_a_client_does_what_it_offers(org, client, name, feature):
    """Unmodified, with the URL and the key alone; and each call is on record as one that went well."""
    assert FEATURES[feature](await getattr(client(name), feature)())
    entry = await org.last()
    assert (entry["status_code"], entry["provider"], entry["level"]) == (200, "demo", "info")


@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS)
@pytest.mark.parametrize("name", CLIENTS)
async def test_a_bad_key_is_shown_in_words(client, name, key):
    """The client raises its own exception for it, whose text says that the key is at fault, and not the key."""
    made = client(name, key)
    with pytest.raises(made.refused) as raised:
        await made.chat()
    said = str(raised.value)
    assert "401" in said
    assert "key" in said.lower()
    assert "[object" not in said
    assert key not in said


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_bad_key_is_shown_where_a_stream_was_wanted(client, name):
    """A stream that is refused is refused as a whole answer is."""
    made = client(name, BAD_KEYS["unknown"])
    with pytest.raises(made.refused, match=r"(?i)key"):
        await made.stream()
