"""``labrig.Context``: the values that services of a group hand on to one another."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from labrig.errors import UsageError

FILE = ".miniboss-context"


class ContextValues(dict[str, Any]):
    """A dict that is kept as JSON beside the group's file, under the name and in the form that miniboss has for it."""

    def load_from(self, directory: Path | str) -> None:
        """Take up what the file in a folder holds; nothing where there is none.

        Raises:
            UsageError: It is not a JSON object.
        """
        path = Path(directory) / FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: the context cannot be read: {error}", hint="remove the file") from error
        if not isinstance(content, dict):
            raise UsageError(f"{path}: expected a JSON object, found {type(content).__name__}", hint="remove the file")
        self.update(content)

    def save_to(self, directory: Path | str) -> None:
        """Write the values to the file in a folder, for nobody else to read; all at once, so that it is never half.

        Raises:
            UsageError: A value is not one of JSON's, or the folder cannot be written.
        """
        path = Path(directory) / FILE
        for key, value in list(self.items()):
            try:
                json.dumps({key: value})
            except (TypeError, ValueError) as error:
                raise UsageError(
                    f"{path}: the context's {key!r} cannot be kept: {error}",
                    hint="keep numbers, strings, lists and dicts in it",
                ) from error
        try:
            # Only its owner may read what this makes: values are often passwords.
            handle, name = tempfile.mkstemp(dir=directory, prefix=FILE)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(self, file)
            Path(name).replace(path)
        except OSError as error:
            raise UsageError(f"{path}: the context cannot be written: {error.strerror}") from error

    def remove_file(self, directory: Path | str) -> None:
        """Remove the file in a folder, if there is one."""
        (Path(directory) / FILE).unlink(missing_ok=True)


Context = ContextValues()
