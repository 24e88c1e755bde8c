"""All experiments of lab hosts: each host tells its own at one look, and all hosts are asked at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from labrig.errors import EnvironmentFailed, LabrigError
from labrig.experiments import connection, listing
from labrig.experiments.listing import Listed


@dataclass(frozen=True)
class Seen:
    """What a lab host tells of its experiments.

    Attributes:
        experiments: By application and name.
        trouble: Why it tells nothing; empty where it does.
    """

    experiments: tuple[Listed, ...] = ()
    trouble: str = ""


def of_hosts(hosts: Sequence[str], *, config: Path | None = None) -> dict[str, Seen]:
    """Return what lab hosts tell, in their order; that one cannot be asked keeps none of the others from telling.

    Args:
        hosts: As ssh knows them; at least one.
        config: Another file than ~/.ssh/config.
    """

    def seen(host: str) -> Seen:
        try:
            return Seen(tuple(of_host(host, config=config)))
        except LabrigError as error:
            return Seen(trouble=error.message)

    with ThreadPoolExecutor(len(hosts)) as pool:
        return dict(zip(hosts, pool.map(seen, hosts), strict=True))


def of_host(host: str, *, config: Path | None = None) -> list[Listed]:
    """Return the experiments of a lab host, by application and name.

    Args:
        host: As ssh knows it.
        config: Another file than ~/.ssh/config.

    Raises:
        EnvironmentFailed: It is not reached, or is no lab host of this version.
    """
    with connection.reached(host, config=config) as over:
        text = b"".join(over.execute([connection.PROGRAM, "list"]))
    try:
        return [listing.read(one) for one in json.loads(text)["experiments"]]
    except (ValueError, TypeError, KeyError) as error:
        raise EnvironmentFailed(
            f"{host} tells of its experiments in words that are not this version's", hint=connection.INSTALL
        ) from error
