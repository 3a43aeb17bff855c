"""What an address is, in whatever form, and which a policy lets be called."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.errors import BadRequest
from ingate.net import addresses, special_addresses
from ingate.net.addresses import EVERYWHERE, EXCEPT_NEVER, AddressPolicy, host, kind_of_address, kind_of_name, policy
from ingate.net.special_addresses import Kind

PUBLIC, LOOPBACK, PRIVATE, NEVER = Kind

# As the registries print them, down to the parts that the table of the code holds as one block.
REGISTERED = {
    "0.0.0.0/8": NEVER,
    "0.0.0.0/32": NEVER,
    "10.0.0.0/8": PRIVATE,
    "100.64.0.0/10": PRIVATE,
    "127.0.0.0/8": LOOPBACK,
    "169.254.0.0/16": NEVER,
    "172.16.0.0/12": PRIVATE,
    "192.0.0.0/24": NEVER,
    "192.0.0.0/29": NEVER,
    "192.0.0.8/32": NEVER,
    "192.0.0.9/32": NEVER,
    "192.0.0.10/32": NEVER,
    "192.0.0.170/32": NEVER,
    "192.0.0.171/32": NEVER,
    "192.0.2.0/24": NEVER,
    "192.31.196.0/24": NEVER,
    "192.52.193.0/24": NEVER,
    "192.88.99.0/24": NEVER,
    "192.88.99.2/32": NEVER,
    "192.168.0.0/16": PRIVATE,
    "192.175.48.0/24": NEVER,
    "198.18.0.0/15": NEVER,
    "198.51.100.0/24": NEVER,
    "203.0.113.0/24": NEVER,
    "224.0.0.0/4": NEVER,
    "240.0.0.0/4": NEVER,
    "255.255.255.255/32": NEVER,
    "::/128": NEVER,
    "::1/128": LOOPBACK,
    "64:ff9b:1::/48": NEVER,
    "100::/64": NEVER,
    "100:0:0:1::/64": NEVER,
    "2001::/23": NEVER,
    "2001:1::1/128": NEVER,
    "2001:1::2/128": NEVER,
    "2001:1::3/128": NEVER,
    "2001:2::/48": NEVER,
    "2001:3::/32": NEVER,
    "2001:4:112::/48": NEVER,
    "2001:10::/28": NEVER,
    "2001:20::/28": NEVER,
    "2001:30::/28": NEVER,
    "2001:db8::/32": NEVER,
    "2620:4f:8000::/48": NEVER,
    "3fff::/20": NEVER,
    "5f00::/16": NEVER,
    "fc00::/7": PRIVATE,
    "fe80::/10": NEVER,
    "fec0::/10": NEVER,
    "ff00::/8": NEVER,
    # not special, for what lies between
    "0.0.0.0/0": PUBLIC,
    "2000::/3": PUBLIC,
    "::/0": NEVER,
}
METADATA = [
    "100.100.100.200",
    "168.63.129.16",
    "169.254.0.23",
    "169.254.169.253",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "192.0.0.192",
    "fd00:42::42",
    "fd00:c1::a9fe:a9fe",
    "fd00:ec2::23",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::a9fe:a9fe",
]
NETWORKS = {ip_network(text): kind for text, kind in REGISTERED.items()}
STAND_IN = [ip_network(text) for text in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")]
STAND_IN += [ip_network("2001::/32"), ip_network("2002::/16")]
"""Judged by what they reach, so not by their own block."""


def registered(address):
    """Returns what the smallest registered block says that holds an address."""
    holding = [network for network in NETWORKS if address in network]
    return NETWORKS[max(holding, key=lambda network: network.prefixlen)]


def edges():
    """Yields the first and the last address of each block, and those beside it."""
    for network in NETWORKS:
        first, last = network[0], network[-1]
        yield from (first, last)
        if int(first):
            yield first - 1
        if int(last) < 2**first.max_prefixlen - 1:
            yield last + 1


def stands_for_another(address):
    return int(address) > 1 and any(address in network for network in STAND_IN)


@pytest.mark.parametrize("address", sorted({str(address) for address in edges() if not stands_for_another(address)}))
def test_each_block_ends_where_the_registries_say(address):
    """The first and last address of each block are what it is, those before and after it what is beside it."""
    assert kind_of_address(address) is registered(ip_address(address))


@pytest.mark.parametrize("address", METADATA)
def test_metadata_services_are_never_called(address):
    """Wherever the cloud put them, private and public blocks included; their neighbours are what their block is."""
    assert kind_of_address(address) is NEVER
    assert not EXCEPT_NEVER.allows_host(address)
    assert not EXCEPT_NEVER.allows("innocent.example", address)


@pytest.mark.parametrize(
    ("address", "kind"),
    [("100.100.100.201", PRIVATE), ("168.63.129.15", PUBLIC), ("fd20:ce::255", PRIVATE), ("fd00:42::43", PRIVATE)],
)
def test_neighbours_of_metadata_services_are_not_caught(address, kind):
    """Single addresses are single."""
    assert kind_of_address(address) is kind


V4 = st.integers(0, 2**32 - 1).map(IPv4Address) | st.sampled_from(
    [address for address in edges() if isinstance(address, IPv4Address)]
)


def embedded(address):
    """Yields the IPv6 addresses at which an IPv4 address is reached."""
    number = int(address)
    for base in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::"):
        yield int(IPv6Address(base)) | number
    yield int(IPv6Address("2002::")) | number << 80 | 0xABCD
    server = int(IPv4Address("8.8.8.8"))
    yield int(IPv6Address("2001::")) | server << 64 | number ^ 0xFFFF_FFFF
    yield int(IPv6Address("2001::")) | number << 64 | server ^ 0xFFFF_FFFF
    for marked in (0x5EFE, 0x0200_5EFE):
        yield int(IPv6Address("2606:4700::")) | marked << 32 | number


@given(V4)
def test_translated_forms_are_what_they_reach(address):
    """Mapped, compatible, translated, NAT64, 6to4, Teredo and ISATAP addresses are what the IPv4 address in them is."""
    kind = kind_of_address(str(address))
    for number in embedded(address):
        if number > 1:
            assert kind_of_address(str(IPv6Address(number))) is kind, IPv6Address(number)


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_no_ipv6_address_is_better_than_its_block(address):
    """Whatever is inside, an address in a registered block is at least as bad as that, unless it stands for another."""
    if not stands_for_another(address):
        assert kind_of_address(str(address)) >= registered(address)


def spelled(address):
    """Yields ways to write an IPv4 address that some resolver understands and others read differently."""
    number, parts = int(address), str(address).split(".")
    yield from (str(number), hex(number), f"0{number:o}", f"0x{number:08X}", f"{address}.")
    yield ".".join(hex(int(part)) for part in parts)
    yield ".".join(f"0{int(part):03o}" for part in parts)
    yield f"{parts[0]}.{number & 0xFFFFFF}"
    yield f"{parts[0]}.{parts[1]}.{number & 0xFFFF}"
    yield f"{parts[0]}.{hex(number & 0xFFFFFF)}"
    yield str(address).translate(str.maketrans("0123456789", "０１２３４５６７８９"))  # noqa: RUF001 -- on purpose
    yield str(address).replace(".", "。")
    yield from (f"{address}%eth0", f"[{address}]", f"x@{address}", f"{address}%00", f"%31{address}", f" {address}")


@given(V4)
def test_only_the_usual_form_of_an_address_is_a_host(address):
    """Decimal, octal, hexadecimal and short forms, full-width digits, zones and escapes are no hosts, in any mode."""
    assert host(str(address)) == str(address)
    for text in spelled(address):
        assert host(text) is None, text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("API.Example.COM", "api.example.com"),
        ("res_name.example.", "res_name.example."),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("2606:4700:0:0::1111", "2606:4700::1111"),
        ("a" * 63 + ".b", "a" * 63 + ".b"),
        ("1.example", "1.example"),
        ("host-1", "host-1"),
        ("api.v1", "api.v1"),
        *(
            (text, None)
            for text in ("", ".", "a..b", ".a", "-a", "a-", "a" * 64, "a.b" * 90, "a b", "ä", "a/b", "a%41")
        ),
        *(
            (text, None)
            for text in ("fe80::1%eth0", "::1%lo", "1.2.3", "256.1.1.1", "1.1.1.1.1", "a.0x7f", "a.08", ":", "::g")
        ),
    ],
)
def test_hosts_have_one_form(text, expected):
    """Names are in lower case, addresses compressed; what is neither is none."""
    assert host(text) == expected


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("localhost", LOOPBACK),
        ("LOCALHOST.", LOOPBACK),
        ("a.localhost", LOOPBACK),
        ("localhost.localdomain", LOOPBACK),
        ("printer.local", PRIVATE),
        ("ollama.internal", PRIVATE),
        ("metadata", NEVER),
        ("metadata.google.internal", NEVER),
        ("METADATA.GOOGLE.INTERNAL.", NEVER),
        ("x.metadata.google.internal", NEVER),
        ("metadata.goog", NEVER),
        ("instance-data.ec2.internal", NEVER),
        ("metadata.tencentyun.com", NEVER),
        ("api.openai.com", PUBLIC),
        ("notlocalhost", PUBLIC),
        ("mymetadata.google.example", PUBLIC),
    ],
)
def test_names_that_say_where_they_lead(name, kind):
    """Names of this machine, of local networks and of metadata services, however they are written."""
    assert kind_of_name(name) is kind


@pytest.mark.parametrize("embedded", [True, False])
@pytest.mark.parametrize("setting", ["auto", "", "yes", "no"])
def test_each_mode_allows_what_it_says(setting, embedded):
    """Auto: loopback, and that with the embedded database alone. Yes: private too. No: neither. Never the rest."""
    most = {"yes": PRIVATE, "no": PUBLIC}.get(setting, LOOPBACK if embedded else PUBLIC)
    found = policy(setting, "", embedded=embedded)
    for kind, example in zip(Kind, ("8.8.8.8", "127.0.0.1", "10.0.0.1", "169.254.169.254"), strict=True):
        assert found.allows_host(example) is (kind <= most)
        assert found.allows("name.example", example) is (kind <= most)


LISTED = "Metadata.Google.internal., 169.254.0.0/16,10.1.2.3 ,[fd00:ec2::254], fe80::/64,,vault.example"


@pytest.mark.parametrize(
    ("name", "resolved", "allowed"),
    [
        ("metadata.google.internal", "169.254.169.254", True),
        ("vault.example", "192.168.0.1", True),
        ("other.example", "169.254.1.1", True),
        ("other.example", "::ffff:169.254.1.1", True),
        ("other.example", "2002:a9fe:101::", True),
        ("other.example", "10.1.2.3", True),
        ("other.example", "fe80::1%eth0", True),
        ("other.example", "fd00:ec2::254", True),
        ("other.example", "10.1.2.4", False),
        ("other.example", "fd00:ec2::253", False),
        ("x.vault.example", "192.168.0.1", False),
        ("other.example", "100.100.100.200", False),
        ("other.example", "no address", False),
    ],
)
def test_what_is_listed_is_allowed_in_every_mode(name, resolved, allowed):
    """Names with whatever they resolve to, addresses and networks in whatever form; nothing beside them."""
    for mode in ("auto", "no"):
        found = policy(mode, LISTED, embedded=False)
        assert found.allows(name, resolved) is allowed
        if allowed:
            assert found.allows_host(name)
    assert policy("no", LISTED, embedded=False).allows_host("10.1.2.3")


@pytest.mark.parametrize("entry", ["http://a", "a b", "10.0.0.0/33", "1.2.3", "a/8", "*", "ä", "a:80", "a,b/c"])
def test_a_list_that_makes_no_sense_stops_the_start(entry):
    """The refusal names the setting and the entry."""
    with pytest.raises(BadRequest) as refused:
        policy("auto", f"good.example,{entry}", embedded=True)
    assert list(refused.value.fields) == ["ssrf_allowed_hosts"]


def test_the_installation_may_call_inside_its_network():
    """What it configures itself may be private, and never more; one policy gives one policy, so lanes are shared."""
    strict = policy("no", "", embedded=False)
    wide = addresses.for_operators(strict)
    assert (wide.allows_host("10.0.0.1"), wide.allows_host("169.254.169.254")) == (True, False)
    assert addresses.for_operators(strict) is wide


def test_the_table_is_well_formed():
    """No block is stated twice, host bits are zero, and any address is in one."""
    for blocks in (special_addresses.BLOCKS_4, special_addresses.BLOCKS_6):
        networks = [ip_network(text) for text, _ in blocks]
        assert len(set(networks)) == len(networks)
        assert all(one != other for one, other in pairwise(networks))
    assert EVERYWHERE.allows_host("::")
    assert AddressPolicy(PUBLIC).allows("a.example", "8.8.8.8")
