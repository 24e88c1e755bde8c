"""Reading the state of any target: line by line as it comes, or as a value."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labrig import clock
from labrig.errors import EnvironmentFailed
from labrig.remote import processes, ssh
from labrig.state import capture, sides
from labrig.state.capture import Execute
from labrig.state.model import ForeignState, State, whole
from labrig.targets import files, ready
from labrig.targets.target import Kind, Target, parse

if TYPE_CHECKING:
    from docker import DockerClient

    from labrig.engine.containers import Found
    from labrig.engine.machines import Machine


def _silent(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Wish:
    """What is to be read, and how.

    Attributes:
        only: Absolute paths; of the files only these and what is below. Empty for all.
        dimensions: Names of dimensions; None for all.
        become: Use sudo where the user there is not root.
        ssh_config: Another file than ~/.ssh/config.
        tell: Called with a sentence where less is read than a user may expect.
    """

    only: tuple[str, ...] = ()
    dimensions: tuple[str, ...] | None = None
    become: bool = False
    ssh_config: Path | None = None
    tell: Callable[[str], None] = field(default=_silent, compare=False)


def find(word: str, tell: Callable[[str], None] = _silent) -> Target:
    """Return the target that a word names; ``tell`` hears where it could have meant another.

    Raises:
        UsageError: It names nothing that is there.
        EnvironmentFailed: It may name something on an engine, and none answers.
    """
    target, ambiguity = parse(word, _exists)
    if ambiguity:
        tell(ambiguity)
    return target


def _exists(kind: Kind, name: str) -> bool:
    if kind == "file":
        # A pipe will do, such as the shell makes of <(...); a folder beside one is no reason to overlook a container.
        return Path(name).exists() and not Path(name).is_dir()
    from labrig.engine import containers  # noqa: PLC0415  # Docker's library, only where an engine is asked

    client = _engine()
    return bool(containers.find(client, name) if kind == "container" else containers.image_id(client, name))


def _engine() -> DockerClient:
    from labrig.engine.client import connect  # noqa: PLC0415

    return connect()


def state(target: Target, wish: Wish) -> State:
    """Return the state of a target, or the part of it that is wished for.

    Raises:
        UsageError: A file is no state.
        EnvironmentFailed: It is not reached, or ends early.
    """
    if target.kind == "file":
        found = State.parse(files.read(target.name), source=_source(target))
        return sides.within(found, only=wish.only, dimensions=wish.dimensions)
    with contextlib.closing(lines(target, wish)) as read:
        return State.parse(read, source=_source(target))


def lines(target: Target, wish: Wish) -> Generator[str, None, None]:
    """Yield the lines of a target's state as they come; nothing is held, and the last one only where it is whole.

    Raises:
        UsageError: A file is no state.
        EnvironmentFailed: It is not reached, or ends early.
    """
    if target.kind == "file":
        yield from whole(files.read(target.name), source=_source(target))
        return
    wish = replace(wish, become=wish.become or target.become)
    try:
        yield from _READERS[target.kind](target, wish)
    except ForeignState as error:
        # The machine is to blame, not the call.
        raise EnvironmentFailed(error.message, hint=error.hint) from error


def _source(target: Target) -> str:
    if target.kind != "file":
        return f"the state of {target}"
    return "standard input" if target.name == files.PIPE else target.name


def _local(target: Target, wish: Wish) -> Iterator[str]:
    def execute(argv: Any, stdin: bytes) -> Iterator[bytes]:
        return processes.stream(argv, stdin, failure=partial(_failed, argv[0]))

    yield from _running(execute, target, wish)


def _failed(name: str, code: int, said: str) -> EnvironmentFailed:
    last = said.splitlines()[-1] if said else "nothing on standard error"
    return EnvironmentFailed(f"{name} on this machine ended with exit code {code}: {last}")


def _over_ssh(target: Target, wish: Wish) -> Iterator[str]:
    with ssh.connection(target.name, user=target.user, port=target.port, config=wish.ssh_config) as connection:
        yield from _running(connection.execute, target, wish)


def _container(target: Target, wish: Wish) -> Iterator[str]:
    from labrig.engine import containers  # noqa: PLC0415

    client = _engine()
    found = containers.find(client, target.name)
    if found is None:
        raise EnvironmentFailed(f"container {target.name} is gone")
    about = {"id": found.id, "image": found.image}
    if found.status != "running":
        wish.tell(f"container {found.name} does not run ({found.status}): only its files are read")
        with containers.files_of(client, found) as helper:
            yield from _files(helper, target, wish, {**about, "read": f"the files of a container: {found.status}"})
        return
    attached = containers.Attached(client, found)
    yield from _running(attached.execute, target, wish, about, partial(_without_python, client, found))


def _without_python(
    client: DockerClient, found: Found, target: Target, wish: Wish, about: dict[str, Any]
) -> Iterator[str]:
    from labrig.engine import containers  # noqa: PLC0415

    wish.tell(f"container {found.name} has no Python: only its files are read")
    with containers.files_of(client, found) as helper:
        yield from _files(helper, target, wish, {**about, "read": "the files of a container without Python"})


def _image(target: Target, wish: Wish) -> Iterator[str]:
    from labrig.engine import containers  # noqa: PLC0415

    client = _engine()
    about: dict[str, Any] = {"id": containers.image_id(client, target.name)}
    with containers.booted(client, target.name) as machine:
        if machine is not None:
            about["read"] = "a machine booted from the image"
            execute = partial(machine.stream, user=containers.SUPERUSER)
            yield from _running(execute, target, wish, about)
            return
    wish.tell(f"image {target.name} has no systemd: only its files are read")
    with containers.files_of_image(client, target.name) as helper:
        yield from _files(helper, target, wish, {**about, "read": "the files of an image without systemd"})


def _running(
    execute: Execute,
    target: Target,
    wish: Wish,
    about: dict[str, Any] | None = None,
    otherwise: Callable[[Target, Wish, dict[str, Any]], Iterator[str]] | None = None,
) -> Iterator[str]:
    found = ready.look(execute, str(target), become=wish.become)
    if not found.python:
        if otherwise is None:
            raise ready.no_python(str(target))
        yield from otherwise(target, wish, about or {})
        return
    if not found.root:
        wish.tell(f"{target} is not read as root: what its user may not read is missing; --become reads it with sudo")

    def run(argv: Any, stdin: bytes) -> Any:
        return execute([*found.prefix, *argv], stdin)

    yield from _probed(run, found.python, target, wish, about or {}, root="/")


def _files(helper: Machine, target: Target, wish: Wish, about: dict[str, Any]) -> Iterator[str]:
    from labrig.engine import containers  # noqa: PLC0415

    yield from _probed(helper.stream, helper.python(), target, wish, about, root=containers.ROOT)


def _probed(
    execute: Execute, python: str, target: Target, wish: Wish, about: dict[str, Any], *, root: str
) -> Iterator[str]:
    asked = capture.request(root=root, only=wish.only, dimensions=wish.dimensions)
    header = describe({"kind": target.kind, "name": str(target), **about}, wish.only)
    yield from capture.stream(execute, asked=asked, python=python, about=header, source=_source(target))


def describe(target: dict[str, Any], only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what is added to the header of a state: through what it was captured, when, and which files."""
    return {"target": target, "captured": clock.now().isoformat(timespec="seconds"), "only": list(only)}


_READERS: dict[Kind, Callable[[Target, Wish], Iterator[str]]] = {
    "local": _local,
    "ssh": _over_ssh,
    "container": _container,
    "image": _image,
}
