"""How labrig speaks: rich on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.segment import Segment

from labrig.plain import plain

# In a pipe nothing is cut off: what reads there wants whole names.
WIDTH_OF_A_PIPE = 1000


class Screen(Console):
    """A console on which colours are rich's own: no text that is printed orders anything."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return what is drawn; a text of others has no control characters left."""
        for one in super().render(renderable, options):
            yield one if one.control else Segment(plain(one.text), one.style)


# Words go to stderr, so that stdout stays for what a program reads.
words = Screen(stderr=True, highlight=False, soft_wrap=True, width=None if sys.stderr.isatty() else WIDTH_OF_A_PIPE)
out = Screen(highlight=False, width=None if sys.stdout.isatty() else WIDTH_OF_A_PIPE)


class Alive:
    """What lives on a terminal while a context lasts, drawn as ``__rich__`` says; nothing elsewhere."""

    def __init__(self) -> None:
        is_drawn = words.is_terminal
        self._live = Live(self, console=words, refresh_per_second=8, transient=True) if is_drawn else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __rich__(self) -> RenderableType:
        raise NotImplementedError

    @property
    def is_alive(self) -> bool:
        """Whether it is drawn; else each thing that happens is a line of its own."""
        return self._live is not None


@contextmanager
def steps(title: str) -> Iterator[Callable[[str], None]]:
    """Show the steps of one long work: a moving line on a terminal, a line each elsewhere."""
    if words.is_terminal:
        with words.status(title) as status:
            yield lambda step: status.update(f"{title}: {step}")
    else:
        words.print(title, markup=False)
        yield lambda step: words.print(f"  {step}", markup=False)


def size(count: int) -> str:
    """Return a number of bytes as a person reads it, for example ``242 MB``."""
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit != "GB" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError


def write_json(content: dict[str, Any], file: Path | None) -> None:
    """Write a document to a file; ``-`` is stdout, None is nowhere."""
    if file is None:
        return
    text = json.dumps(content, indent=2, default=str) + "\n"
    if str(file) == "-":
        click.echo(text, nl=False)
    else:
        file.write_text(text, encoding="utf-8")
