"""How long experiments take on a lab host beside the same steps by hand, and whether readers notice an update.

    .venv/bin/python benchmarks/experiments.py [--runs 5] [--requests 2000] [--count 200]
    .venv/bin/python benchmarks/experiments.py --only create update

The lab host is a container with an engine of its own, made by labrig.core.lab and reached over SSH as the tests have it
(tests/trials); the application is examples/shop with PostgreSQL.

create    `labrig experiment create` of a branch whose image's layers are built already, and the same steps typed as one
          shell script that one SSH connection carries: in turn, the first turn does not count
update    readers ask for a page as fast as it is answered, while the branch is updated again and again
list      all experiments of a host that has so many, over one connection
sweep     a look at so many of which nothing is over; then so many of which a few are
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from rich.console import Console
from rich.table import Table

from labrig.experiments.edge import VirtualHost
from labrig.experiments.naming import SLOT, VERSION, Names
from labrig.experiments.record import Record
from trials.desk import Desk, Readers, host_name, released
from trials.lab_hosts import LabHost, Laboratory
from trials.lab_image import DOMAIN, KEYS, SHOP

# Of the time by hand; of requests; seconds.
TARGETS = {"create": 1.5, "update": 0, "list": 1.0, "sweep": 10.0}
OVER = 5
BY_HAND = r"""
set -eu
umask 077
root=/srv/by-hand
install --directory $root
printf 'POSTGRES_USER=shop\nPOSTGRES_PASSWORD=geheim\nPOSTGRES_DB=shop\n' > $root/db.env
printf 'DB_URL=postgresql://shop:geheim@db/shop\nBRANCH_NAME=main\nRELEASE=%s\n' {release} > $root/shop.env
umask 022
git init --quiet $root/code
git -C $root/code fetch --quiet --depth=1 --no-tags -- {url} {release}
git -C $root/code checkout --quiet --detach {release}
docker build --quiet --tag by-hand $root/code >/dev/null
docker network create --subnet=10.213.250.0/27 --ip-range=10.213.250.16/28 by-hand >/dev/null
docker volume create by-hand-db >/dev/null
limits='--memory=1g --memory-swap=1g --cpus=1 --pids-limit=512 --security-opt=no-new-privileges'
docker create --name=by-hand-db $limits --network=by-hand --network-alias=db --env-file=$root/db.env \
    --mount=type=volume,source=by-hand-db,target=/var/lib/postgresql/data postgres:15 >/dev/null
systemctl enable --now --quiet labrig-container@by-hand-db.service
until docker exec by-hand-db psql --host=127.0.0.1 --quiet --output=/dev/null --command='SELECT 1' \
    postgresql://shop:geheim@127.0.0.1/shop 2>/dev/null; do sleep {pause}; done
docker run --rm $limits --network=by-hand --env-file=$root/shop.env --entrypoint=python3 by-hand migrate.py >/dev/null
docker create --name=by-hand $limits --network=by-hand --ip=10.213.250.2 --env-file=$root/shop.env by-hand >/dev/null
systemctl enable --now --quiet labrig-container@by-hand.service
until curl --fail --silent --output /dev/null http://10.213.250.2:8000/health; do sleep {pause}; done
cat > /etc/nginx/edge.d/by-hand.conf <<'END'
server {{
    listen 80;
    server_name by-hand.{domain};
    location / {{ proxy_pass http://10.213.250.2:8000; }}
}}
END
nginx -t -q
systemctl reload nginx
"""
NOT_BY_HAND = r"""
rm -f /etc/nginx/edge.d/by-hand.conf
systemctl reload nginx
systemctl disable --now --quiet labrig-container@by-hand.service labrig-container@by-hand-db.service
docker rm --force by-hand by-hand-db
docker volume rm by-hand-db
docker network rm by-hand
docker image rm by-hand
rm -rf /srv/by-hand
"""


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="counted turns [default: 5]")
    parser.add_argument("--requests", type=int, default=2000, help="how many requests at least [default: 2000]")
    parser.add_argument("--count", type=int, default=200, help="how many experiments [default: 200]")
    parser.add_argument("--only", nargs="+", default=list(TARGETS), choices=TARGETS, metavar="NAME", help="a part")
    wish = parser.parse_args()
    table = Table("", "median", "least", "most", "compared", "target", title="experiments")
    with tempfile.TemporaryDirectory() as folder, Laboratory(Path(folder)) as laboratory:
        host = laboratory.start("lab-1")
        desk = Desk(laboratory, laboratory.repository("shop", SHOP))
        desk.settings()
        if "create" in wish.only:
            create(table, desk, host, wish.runs)
        if "update" in wish.only:
            update(table, desk, host, wish.requests)
        if "list" in wish.only or "sweep" in wish.only:
            desk.settings()
            desk.labrig("create", "main")
            many(host, desk.repository.url, wish.count)
        if "list" in wish.only:
            times = [timed(lambda: desk.labrig("list", "--json", "-")) for _ in range(wish.runs + 1)][1:]
            row(table, f"list {wish.count}", times, target=TARGETS["list"])
        if "sweep" in wish.only:
            times = [timed(lambda: desk.labrig("sweep")) for _ in range(wish.runs + 1)][1:]
            row(table, f"sweep {wish.count}, none over", times, target=TARGETS["sweep"])
            expire(host, desk.repository.url, OVER)
            row(
                table,
                f"sweep {wish.count}, {OVER} over",
                [timed(lambda: desk.labrig("sweep"))],
                target=TARGETS["sweep"],
            )
    Console().print(table)


def create(table: Table, desk: Desk, host: LabHost, runs: int) -> None:
    """Compare creating with the same by hand."""
    host.root(f"install -d -m 0700 /root/.ssh; cat {KEYS}/anna.pub > /root/.ssh/authorized_keys")
    release = desk.repository.git("rev-parse", "main")
    script = BY_HAND.format(release=release, url=shlex.quote(desk.repository.url), domain=DOMAIN, pause=0.2)
    ssh = ["ssh", "-F", desk.laboratory.environment()["LABRIG_SSH_CONFIG"], "-T", "-l", "root", host.name, "sh", "-s"]
    ours, by_hand = [], []
    for turn in range(runs + 1):
        ours.append(timed(lambda: desk.labrig("create", "main")))
        desk.labrig("delete", "main")
        by_hand.append(timed(lambda: subprocess.run(ssh, input=script, text=True, check=True)))
        host.root(NOT_BY_HAND)
        print(f"turn {turn}: labrig {ours[-1]:.2f} s, by hand {by_hand[-1]:.2f} s", file=sys.stderr, flush=True)
    row(table, "create", ours[1:], compared=by_hand[1:], target=TARGETS["create"])
    row(table, "create by hand", by_hand[1:])


def update(table: Table, desk: Desk, host: LabHost, requests: int) -> None:
    """Count the requests that fail while a branch is updated, every second time with a change that fails."""
    desk.labrig("create", "main")
    times = []
    with Readers(host, host_name("main")) as readers:
        while readers.count < requests:
            good = desk.repository.commit("main", {"migrations/0003-more.sql": f"SELECT {len(times)};\n"})
            times.append(timed(lambda: desk.labrig("update", "main")))
            desk.repository.commit("main", {"migrations/0004-broken.sql": "SELECT 1 / 0;\n"})
            desk.labrig("update", "main", code=1)
            desk.repository.commit("main", {"migrations/0004-broken.sql": None})
            if released(host, "main") != good:
                sys.exit("the good version serves no more")
    for told in readers.failed[:10]:
        print(told, file=sys.stderr)
    said = f"{len(readers.failed)} of {readers.count} requests failed"
    row(table, "update", times, said=f"{said}, {len(times)} good and as many bad updates", target=TARGETS["update"])
    desk.labrig("delete", "main")


def many(host: LabHost, url: str, count: int) -> None:
    """Make experiments as a deployment leaves them, but without databases, and nothing runs in their containers."""
    for start in range(0, count, 20):
        host.root("".join(one(number, url, timedelta(days=7)) for number in range(start, min(start + 20, count))))
        print(f"made {min(start + 20, count)} experiments", file=sys.stderr, flush=True)
    host.root("nginx -t -q; systemctl reload nginx")


def one(number: int, url: str, stays: timedelta) -> str:
    """Return the script that makes one."""
    names = Names("shop", f"n{number:03d}")
    now = datetime.now(tz=UTC)
    record = Record("main", url, "anna@desk", now.isoformat(), now.isoformat(), (now + stays).isoformat())
    labels = names.labels("main", creator="anna@desk", created=record.created, expires=record.expires)
    given = " ".join(shlex.quote(f"--label={key}={value}") for key, value in labels.items())
    version = "0123456789ab"
    subnet = f"10.214.{number // 8}.{number % 8 * 32}"
    text = VirtualHost(names, f"shop-{names.name}.{DOMAIN}", version).awake(f"{subnet}:8000")
    container = f"--name={names.container(version)} --label={VERSION}={version} --label={SLOT}=0 {given}"
    return f"""
install -d -o labrig -g labrig -m 0700 {names.folder}
printf '%s' {shlex.quote(record.text())} > {names.record}
chown labrig: {names.record}
docker image tag shop-ground:1 {names.image(version)}
docker network create --subnet={subnet}/27 {given} {names.network}
docker create {container} --network={names.network} {names.image(version)}
printf '%s' {shlex.quote(text)} > /etc/nginx/edge.d/{names.base}.conf
"""


def expire(host: LabHost, url: str, count: int) -> None:
    """Let the time of some be over."""
    for number in range(count):
        names = Names("shop", f"n{number:03d}")
        past = (datetime.now(tz=UTC) - timedelta(days=1)).isoformat()
        text = Record("main", url, "anna@desk", past, past, past).text()
        host.root(f"printf '%s' {shlex.quote(text)} > {names.record}")


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def row(
    table: Table,
    what: str,
    times: Sequence[float],
    *,
    compared: Sequence[float] = (),
    said: str = "",
    target: float | None = None,
) -> None:
    """Add a line to the table."""
    middle = statistics.median(times)
    told = said or (f"{middle / statistics.median(compared):.2f} of by hand" if compared else "")
    seconds = (f"{one:.2f} s" for one in (middle, min(times), max(times)))
    table.add_row(what, *seconds, told, "" if target is None else f"{target:g}")


if __name__ == "__main__":
    main()
