"""What the containers of a group wrote: read once, in the order of time, or followed while they run."""

from __future__ import annotations

import contextlib
import heapq
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from docker import DockerClient
from docker.errors import NotFound

from labrig.engine.client import engine_errors
from labrig.groups.standing import Standing


@dataclass(frozen=True, order=True)
class Line:
    """One line of a container; ``when`` is the engine's time stamp, whose texts sort as times do."""

    when: str
    service: str
    text: str


def read(client: DockerClient, containers: Sequence[Standing], tail: int | None) -> Iterator[Line]:
    """Return the lines of several containers, merged in the order of time.

    Args:
        client: The engine.
        containers: Whose.
        tail: Only the last so many of each; None is all.
    """
    return heapq.merge(*(list(_lines(client, one, tail, follow=False)) for one in containers))


def follow(client: DockerClient, containers: Sequence[Standing], tail: int | None) -> Iterator[Line]:
    """Yield lines as they come, after the last ``tail`` of each, until all containers have stopped."""
    arriving: queue.Queue[Line | BaseException | None] = queue.Queue()

    def tell(one: Standing) -> None:
        try:
            for line in _lines(client, one, tail, follow=True):
                arriving.put(line)
            arriving.put(None)
        except BaseException as error:  # noqa: BLE001  # it is raised where the lines are read
            arriving.put(error)

    for one in containers:
        # A daemon: when nobody reads any more, nothing waits for it.
        threading.Thread(target=tell, args=(one,), daemon=True, name=f"logs of {one.service}").start()
    going_on = len(containers)
    while going_on:
        item = arriving.get()
        if item is None:
            going_on -= 1
        elif isinstance(item, BaseException):
            raise item
        else:
            yield item


def _lines(client: DockerClient, one: Standing, tail: int | None, *, follow: bool) -> Iterator[Line]:
    with engine_errors(f"read the log of service {one.service}"), contextlib.suppress(NotFound):
        pieces: Any = client.api.logs(
            one.id, stream=True, follow=follow, timestamps=True, tail="all" if tail is None else tail
        )
        for line in whole_lines(pieces):
            when, _, text = line.partition(" ")
            yield Line(when, one.service, text)


def whole_lines(pieces: Iterable[bytes]) -> Iterator[str]:
    r"""Return the lines that pieces make up, without their ends; the last one may lack its own.

    >>> list(whole_lines([b"a\nb", b"c\r\n", b"d"]))
    ['a', 'bc', 'd']
    """
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.removesuffix(b"\r").decode(errors="replace") for line in lines)
    if rest:
        yield rest.decode(errors="replace")
