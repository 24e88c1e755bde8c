# Copyright (c) 2026, The labrig contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all plugins have in common that call the Python package labrig on the controller."""

from __future__ import annotations

from contextlib import contextmanager

from ansible.errors import AnsibleActionFail

try:
    from labrig.errors import LabrigError
    from labrig.plain import plain
except ImportError:
    LabrigError = ()
    plain = str


def needs_labrig(plugin, problem, error=AnsibleActionFail):
    """Raise an error that tells how the package is installed, where importing it had a problem."""
    if problem is not None:
        raise error(
            f"{plugin} needs the Python package labrig on the controller: {problem}. "
            "Install it beside ansible-core: pip install labrig"
        )


@contextmanager
def in_ansibles_words(error=AnsibleActionFail):
    """Raise labrig's errors as one of Ansible's, with what can be done about it."""
    try:
        yield
    except LabrigError as problem:
        # Ansible would add the words of a cause to these, which are the same, and prints what it is given as it is.
        raise error(plain(problem.message + (f" ({problem.hint})" if problem.hint else ""))) from None
