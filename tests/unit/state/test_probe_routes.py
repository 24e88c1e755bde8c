"""Routes, rules and addresses from what the kernel tells: what somebody made is told, what the network gives is not."""

import ipaddress
import socket
import struct

import pytest

from labrig.state.probe import netlink
from labrig.state.probe.machine import Machine, Unreadable
from labrig.state.probe.routes import Network, addressed, kind, read, told_routes, told_rules

V4, V6 = socket.AF_INET, socket.AF_INET6
BOOT, KERNEL, ROUTER, DHCP, BGP = 3, 2, 9, 16, 186
UNICAST, BLACKHOLE = 1, 6
MAIN = 254

DOCKER = Network({1: "lo", 7: "eth0"}, {7: [ipaddress.ip_interface("172.17.0.5/16")]}, {"172.17.0.5": "<self>"})
OTHER = Network({1: "lo", 9: "eth0"}, {9: [ipaddress.ip_interface("10.8.0.77/24")]}, {"10.8.0.77": "<self>"})


def u32(number):
    return struct.pack("=I", number)


def packed(address):
    return ipaddress.ip_address(address).packed


def route(destination="", *, index=7, protocol=BOOT, sort=UNICAST, table=MAIN, family=V4, flags=0, **found):
    network = ipaddress.ip_network(destination) if destination else None
    head = (family, network.prefixlen if network else 0, 0, 0, table if table < 256 else 0, protocol, 0, sort, flags)
    attributes = {15: u32(table)}
    attributes |= {1: network.network_address.packed} if network else {}
    attributes |= {4: u32(index)} if sort == UNICAST else {}
    attributes |= {5: packed(found["via"])} if "via" in found else {}
    attributes |= {6: u32(found["metric"])} if "metric" in found else {}
    attributes |= {7: packed(found["source"])} if "source" in found else {}
    return head, attributes


def told(one, network=DOCKER):
    return dict(told_routes([one], network))


def test_a_gateway_reads_the_same_in_every_network_of_docker():
    here, there = told(route(via="172.17.0.1")), told(route(via="10.8.0.1", index=9), OTHER)
    assert here == there == {"route default": {"ways": ["via <network>+1 on eth0"]}}


def test_another_gateway_of_the_same_network_differs():
    assert told(route(via="172.17.0.200")) == {"route default": {"ways": ["via <network>+200 on eth0"]}}


def test_a_gateway_elsewhere_and_one_of_a_peer_are_told_as_they_are():
    peers = Network({7: "eth0"}, DOCKER.given, {"172.17.0.9": "<peer db>"})
    assert told(route("192.0.2.0/24", via="172.17.0.9"), peers) == {
        "route 192.0.2.0/24": {"ways": ["via <peer db> on eth0"]}
    }
    assert told(route("192.0.2.0/24", via="203.0.113.1")) == {
        "route 192.0.2.0/24": {"ways": ["via 203.0.113.1 on eth0"]}
    }


@pytest.mark.parametrize("protocol", [KERNEL, ROUTER, BGP])
def test_what_the_kernel_a_router_or_a_protocol_makes_is_left_out(protocol):
    assert told(route("172.17.0.0/16", protocol=protocol)) == {}
    assert told(route("172.17.0.0/16")) == {"route <network of eth0>": {"ways": ["on eth0"]}}


def test_a_lease_makes_the_same_route_as_a_hand():
    assert told(route(via="172.17.0.1", protocol=DHCP)) == told(route(via="172.17.0.1"))


def test_tables_metrics_sources_and_kinds_are_told():
    assert told(route("192.0.2.0/24", table=1000, metric=5, source="172.17.0.5")) == {
        "route 192.0.2.0/24 metric 5 in table 1000": {"ways": ["on eth0"], "source": "<self>"}
    }
    assert told(route("192.0.2.0/24", sort=BLACKHOLE)) == {"route 192.0.2.0/24": {"ways": [], "type": "blackhole"}}


def test_a_route_of_ipv6_is_told_without_the_usual_metric():
    found = told(route("2001:db8::/32", family=V6, metric=1024, via="fe80::1"))
    assert found == {"route 2001:db8::/32": {"ways": ["via fe80::1 on eth0"]}}
    assert list(told(route(family=V6, via="fe80::1"))) == ["route default of IPv6"]
    assert told(route("ff00::/8", family=V6, table=255)) == {}


def test_every_way_of_a_route_with_several_is_told():
    one = netlink._ATTRIBUTE.pack(8, 5) + packed("172.17.0.3")
    other = netlink._ATTRIBUTE.pack(8, 5) + packed("172.17.0.4")
    ways = b"".join(struct.pack("=HBBi", 16, 0, hops, 7) + gateway for hops, gateway in ((1, one), (0, other)))
    head, found = route("192.0.2.0/24")
    assert told((head, {**found, 9: ways})) == {
        "route 192.0.2.0/24": {"ways": ["via <network>+3 on eth0 weight 2", "via <network>+4 on eth0"]}
    }


def rule(priority, table, **found):
    head = (V4, 0, 32 if "source" in found else 0, 0, table if table < 256 else 0, found.get("action", 1), 0)
    attributes = {6: u32(priority), 15: u32(table), 21: bytes([found.get("protocol", BOOT)])}
    attributes |= {2: packed(found["source"])} if "source" in found else {}
    attributes |= {10: u32(found["mark"])} if "mark" in found else {}
    return head, attributes


def test_rules_are_told_but_for_those_that_the_kernel_begins_with():
    own = [rule(0, 255, protocol=KERNEL), rule(32766, 254, protocol=KERNEL), rule(32767, 253, protocol=KERNEL)]
    somebodys = [rule(100, 1000, source="192.0.2.7"), rule(101, 100, mark=1), rule(32766, 1000)]
    assert dict(told_rules([*own, *somebodys], DOCKER)) == {
        "rule 100: from 192.0.2.7/32": {"action": "lookup", "table": 1000},
        "rule 101: mark 0x1": {"action": "lookup", "table": 100},
        "rule 32766: all": {"action": "lookup", "table": 1000},
    }


def test_an_older_kernel_that_does_not_say_whose_a_rule_is():
    heads = [rule(0, 255), rule(32766, 254), rule(90, 100)]
    bare = [(head, {name: value for name, value in found.items() if name != 21}) for head, found in heads]
    assert list(dict(told_rules(bare, DOCKER))) == ["rule 90: all"]


def address(text, index, *, flags=0x80, scope=0):
    own = ipaddress.ip_interface(text)
    family = V4 if own.version == 4 else V6
    return (family, own.network.prefixlen, flags, scope, index), {1: own.ip.packed, 8: u32(flags)}


def added(*addresses, by_network=frozenset({1, 7})):
    return list(addressed(list(addresses), {1: "lo", 7: "eth0", 8: "wg0", 9: "docker0"}, set(by_network))[1])


def test_the_first_address_of_an_interface_is_the_networks_and_every_further_one_somebodys():
    given = [address("127.0.0.1/8", 1), address("172.17.0.5/16", 7), address("2001:db8::5/64", 7)]
    assert added(*given) == []
    assert added(*given, address("192.0.2.9/24", 7), address("192.0.2.8/32", 1)) == [
        "address 192.0.2.9/24 on eth0",
        "address 192.0.2.8/32 on lo",
    ]


def test_every_address_of_an_interface_that_somebody_made_is_told_but_not_of_an_engines_bridge():
    assert added(address("10.9.0.1/24", 8), address("172.18.0.1/16", 9)) == ["address 10.9.0.1/24 on wg0"]


def test_addresses_of_a_link_and_of_a_lease_are_left_out():
    router = address("2001:db8::9/64", 7, flags=0)
    assert added(address("2001:db8::5/64", 7), router, address("fe80::1/64", 7, scope=253)) == []


def test_the_kernel_of_this_machine_answers():
    links = {netlink.name(found[3]): kind(found) for _, found in netlink.ask(netlink.LINKS, socket.AF_UNSPEC)}
    assert links["lo"] == ""
    local = [found for head, found in netlink.ask(netlink.ADDRESSES, V4) if head[0] == V4]
    assert packed("127.0.0.1") in [found[2] for found in local]
    assert all(value == {} or "ways" in value or "action" in value for _, value in read(Machine({})))


def test_a_root_that_does_not_run_has_no_routes(tmp_path):
    with pytest.raises(Unreadable, match="only a running machine"):
        list(read(Machine({"root": str(tmp_path)})))
