"""Packet filters: every chain and set of nftables and iptables in the kernel, without counters."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from labrig.state.probe.machine import Unreadable
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labrig.state.probe.machine import Entries, Machine, Value

# Where administrators' tools are, also for a user whose PATH does not say so.
PLACES = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
LEGACY = {"ip": "/proc/net/ip_tables_names", "ip6": "/proc/net/ip6_tables_names"}
SAVERS = {"ip": ("iptables-legacy-save", "iptables-save"), "ip6": ("ip6tables-legacy-save", "ip6tables-save")}

# Docker's own name server for a network, on ports of its choice, in every container of it.
RESOLVER_CHAIN = re.compile(r"DOCKER_(OUTPUT|POSTROUTING)")
RESOLVER_RULE = re.compile(r".*\b127\.0\.0\.11\b.*")

BLOCKS = frozenset({"table", "chain", "set", "map", "flowtable", "ct", "counter", "quota", "limit", "synproxy"})

COUNTER = re.compile(r"\bcounter(?! name)( packets \d+ bytes \d+)?\s*")
TIMES = re.compile(r" (timeout|expires) \w+")
HANDLE = re.compile(r" # handle \d+$")


def read(machine: Machine) -> Entries:
    """Yield ``FAMILY TABLE CHAIN`` with hook and rules in their order, and ``FAMILY TABLE set NAME`` with elements.

    Tables of the older kind, and all where nft is missing, have ``iptables`` before that.

    Raises:
        Unreadable: There are rules, or may be, and they can't be listed.
    """
    if not machine.live:
        raise Unreadable("only a running machine filters packets")
    found: dict[str, Value] = {}
    nft = shutil.which("nft", path=PLACES)
    if nft:
        found.update(nftables(machine.query(nft, "--stateless", "list", "ruleset")))
    for family, path in LEGACY.items():
        tables = _tables(path)
        tool = next(filter(None, (shutil.which(name, path=PLACES) for name in SAVERS[family])), None)
        if tool and (tables or not nft):
            found.update(iptables(machine.query(tool), family))
        elif tables:
            raise Unreadable(f"there are {family} tables {', '.join(tables)}, and no tool that lists them")
    for key in sorted(found):
        yield written(os.fsencode(key)), found[key]


def _tables(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii") as stream:
            return sorted(stream.read().split())
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise Unreadable(f"{path}: {problem.strerror}") from None


def nftables(ruleset: str) -> Iterator[tuple[str, Value]]:
    """Yield chains and sets of what ``nft --stateless list ruleset`` prints, and tables that hold nothing.

    The elements of a set that the kernel fills or empties by itself are left out.
    """
    table = name = ""
    empty = True
    lines: list[str] = []
    for line in _joined(ruleset):
        text = " ".join(HANDLE.sub("", line).split())
        if not text or text.startswith("#"):
            continue
        if not table:
            table, empty = text[len("table ") :].rstrip(" {"), True
        elif not name and text == "}":
            if empty:
                yield table, {}
            table = ""
        elif not name and text.endswith("{"):
            name, lines, empty = text.rstrip(" {"), [], False
        elif text == "}":
            yield from _block(table, name, lines)
            name = ""
        elif not name:
            yield f"{table} {text}", {}  # Flags of the table.
        else:
            lines.append(text)


def _joined(ruleset: str) -> Iterator[str]:
    """Yield lines, those of a list of elements or of a map within a rule as one."""
    held = ""
    for line in ruleset.splitlines():
        held = f"{held} {line.strip()}" if held else line
        bare = re.sub(r'"[^"]*"', "", held)
        opened = bare.count("{") - bare.count("}")
        if opened > 0 and not (opened == 1 and bare.endswith("{") and "=" not in bare and not _is_rule(bare)):
            continue
        yield held
        held = ""


def _is_rule(line: str) -> bool:
    return line.split(None, 1)[0] not in BLOCKS


def _block(table: str, name: str, lines: list[str]) -> Iterator[tuple[str, Value]]:
    kind, _, own = name.partition(" ")
    if kind == "chain":
        if RESOLVER_CHAIN.fullmatch(own):
            return
        hook = [line for line in lines if line.startswith("type ") and " hook " in line]
        rules = [COUNTER.sub("", line).strip() for line in lines if line not in hook]
        chain = _chain("".join(hook), rules)
        # One that holds nothing but what Docker put there says nothing either.
        if chain["rules"] or not rules or "policy drop" in chain.get("hook", ""):
            yield f"{table} {own}", chain
    elif kind in ("set", "map"):
        passing = any(line.startswith("flags") and re.search(r"dynamic|timeout", line) for line in lines)
        elements = next((line for line in lines if line.startswith("elements = ")), "")
        told: Value = {"settings": [line for line in lines if not line.startswith("elements")]}
        if not passing:
            inner = TIMES.sub("", elements.partition("{")[2].rpartition("}")[0])
            told["elements"] = sorted(filter(None, (COUNTER.sub("", one).strip() for one in inner.split(","))))
        yield f"{table} {name}", told
    elif kind not in ("counter", "quota"):
        yield f"{table} {name}", {"settings": sorted(lines)}


def _chain(hook: str, rules: list[str]) -> Value:
    own = [rule for rule in rules if not RESOLVER_RULE.fullmatch(rule) and "jump DOCKER_OUTPUT" not in rule]
    return {**({"hook": hook} if hook else {}), "rules": own}


def iptables(saved: str, family: str) -> Iterator[tuple[str, Value]]:
    """Yield the chains of what ``iptables-save`` prints; a built-in one that holds nothing and accepts says nothing."""
    table = ""
    policies: dict[str, str] = {}
    rules: dict[str, list[str]] = {}
    for line in saved.splitlines():
        text = re.sub(r"^\[\d+:\d+\] ", "", line.strip())
        if text.startswith("*"):
            table, policies, rules = text[1:], {}, {}
        elif text.startswith(":"):
            chain, policy = text[1:].split()[:2]
            policies[chain] = policy
        elif text.startswith("-A "):
            rules.setdefault(text.split()[1], []).append(text)
        elif text == "COMMIT":
            for chain, policy in policies.items():
                value = _chain("" if policy == "-" else f"policy {policy}", rules.get(chain, []))
                if not RESOLVER_CHAIN.fullmatch(chain) and (policy != "ACCEPT" or value["rules"]):
                    yield f"iptables {family} {table} {chain}", value
