# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Optional libraries: imported late, reported once, by name, wanted version, found version and path."""

from __future__ import annotations

import importlib
import re
from typing import Any

from .errors import OptionError


class MissingLibrary(OptionError):
    """A library is not there, or too old; the text says which and where it was looked for."""


def need(name: str, minimum: str, package: str = "") -> Any:
    """Import a module and check its version.

    :param name: import name, ``psycopg``.
    :param minimum: lowest version that works, ``3.1``.
    :param package: name in the package index where it differs from the import name.
    :raises MissingLibrary: not there or too old, with version and path of what was found.
    """
    package = package or name
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise MissingLibrary(
            f"the Python library {package} >= {minimum} is needed: {error}. Install it for the Python that runs this "
            f"module (python -m pip install '{package}>={minimum}'), or set ansible_python_interpreter"
        ) from error
    found = str(getattr(module, "__version__", None) or _packaged(package))
    if _parts(found) < _parts(minimum):
        raise MissingLibrary(
            "the Python library {} >= {} is needed, found {} at {}".format(
                package, minimum, found, getattr(module, "__file__", "?")
            )
        )
    return module


def _packaged(package: str) -> str:
    """The version that the package's metadata give, for libraries that do not say it themselves."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "0"


def _parts(version: str) -> tuple[int, ...]:
    """Always three numbers, so that 3 is not older than 3.0."""
    parts = [int(part) for part in re.findall(r"\d+", version)[:3]]
    return tuple(parts + [0] * (3 - len(parts)))
