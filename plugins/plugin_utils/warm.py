# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every look needs, loaded once instead of once a system.

Ansible imports an action plugin in its main process and runs it in a fork of that. A fork has what the main process had
loaded; what it had not, each of them loads again: Ansible's own filters, those of this collection (to find one, all
files of the folder are loaded), and the client library of the system. That was two fifths of what the forks cost.

Nothing here is needed for a right answer: what cannot be loaded is left to the look, which says what is missing.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from functools import cache

from ansible.plugins.loader import filter_loader, test_loader

_FILTER = "nexuscos.ops.recording_path"
_TEST = "ansible.builtin.exists"


@cache
def templates() -> None:
    """Load the filters and tests of Ansible and of this collection."""
    with suppress(Exception):
        filter_loader.get(_FILTER)
        test_loader.get(_TEST)


def libraries(*names: str) -> None:
    """Import libraries that are there.

    :param names: import names, ``psycopg``; a library whose import goes wrong in any way is passed over.
    """
    for name in names:
        if name not in sys.modules:
            with suppress(Exception):
                importlib.import_module(name)
