"""How long capturing a machine takes, against reading and hashing the same bytes with sha256sum inside it.

    python benchmarks/capture.py [CONTAINER ...]

Without a container it starts one machine from labrig/debian-12 and removes it afterwards. Each figure is the
median of five counted runs, taken in turn after one that does not count.
"""

import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from labrig.state.capture import Execute, capture

IMAGE = "labrig/debian-12:latest"
RUNS = 5

MACHINE = (
    "--label=org.labrig.kind=test",
    "--cgroupns=host",
    "--volume=/sys/fs/cgroup:/sys/fs/cgroup:ro",
    "--tmpfs=/run:exec",
    "--tmpfs=/run/lock",
    "--tmpfs=/tmp:exec",
    "--env=container=docker",
    "--stop-signal=SIGRTMIN+3",
    "--cap-add=SYS_ADMIN",
)

# Every regular file of the root file system, as the capture reads them.
HASH = "find / -xdev -type f -print0 | xargs -0 sha256sum"


def execute(container: str) -> Execute:
    def run(argv: Sequence[str], stdin: bytes) -> Iterator[bytes]:
        command = ["docker", "exec", "-i", container, *argv]
        yield subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True).stdout

    return run


def seconds(action: Callable[[], object]) -> float:
    start = time.monotonic()
    action()
    return time.monotonic() - start


def hash_all(container: str) -> None:
    # A file that vanishes makes it fail; what counts is the time.
    subprocess.run(
        ["docker", "exec", container, "sh", "-c", HASH],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


def measured(container: str) -> tuple[int, int, float, float]:
    capture_times, hash_times = [], []
    state = capture(execute(container))
    hash_all(container)
    for _ in range(RUNS):
        capture_times.append(seconds(lambda: capture(execute(container))))
        hash_times.append(seconds(lambda: hash_all(container)))
    size = sum(value.get("size", 0) for (dimension, _), value in state.entries.items() if dimension == "file")
    return len(state.entries), size, statistics.median(capture_times), statistics.median(hash_times)


@contextlib.contextmanager
def machine() -> Iterator[str]:
    name = "labrig-benchmark-capture"
    subprocess.run(
        ["docker", "run", "--detach", "--rm", f"--name={name}", *MACHINE, IMAGE, "/lib/systemd/systemd"],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    try:
        subprocess.run(
            ["docker", "exec", name, "systemctl", "is-system-running", "--wait"], stdout=subprocess.DEVNULL, check=False
        )
        yield name
    finally:
        subprocess.run(["docker", "rm", "--force", name], stdout=subprocess.DEVNULL, check=False)


def main() -> None:
    print(f"{'machine':24} {'entries':>9} {'MB':>7} {'capture s':>10} {'sha256sum s':>12} {'ratio':>6}")
    with contextlib.ExitStack() as started:
        for container in sys.argv[1:] or [started.enter_context(machine())]:
            entries, size, capturing, hashing = measured(container)
            figures = f"{entries:9} {size / 1e6:7.0f} {capturing:10.2f} {hashing:12.2f} {capturing / hashing:6.2f}"
            print(f"{container:24} {figures}")


if __name__ == "__main__":
    main()
