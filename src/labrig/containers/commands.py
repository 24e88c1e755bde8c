"""Commands in a container of a test: what goes wrong with them is told with the container's own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from docker.errors import APIError

from labrig.containers.errors import CommandFailed, NotReady
from labrig.engine import executing
from labrig.engine.client import engine_errors
from labrig.engine.executing import Result

if TYPE_CHECKING:
    from labrig.containers.container import Container


def run(
    container: Container,
    words: Sequence[str],
    *,
    user: str,
    env: Mapping[str, str] | None,
    folder: str,
    stdin: bytes | None,
    check: bool,
    seconds: float,
) -> Result:
    """Run a command and return what it came to.

    Raises:
        CommandFailed: It has not ended within ``seconds``, and goes on in the container; or, where that is to be
            checked, it has not ended with 0.
        NotReady: The container does not run.
    """
    doing = f"run {words[0]} in container {container.label}"
    with engine_errors(doing):
        try:
            done = executing.execute(
                container.owner.client,
                container.id,
                words,
                user=user,
                env=env,
                folder=folder,
                stdin=stdin,
                seconds=seconds,
            )
        except TimeoutError as error:
            raise CommandFailed(f"could not {doing} within {seconds:g} s") from error
        except APIError as error:
            if error.status_code != 409:
                raise
            raise NotReady(f"cannot {doing}: it {container.state().told()}\n{container.last_lines()}") from error
    if check and done.code != 0:
        raise CommandFailed(f"{words[0]} in container {container.label} ended with {done.code}\n{done.tail()}")
    return done
