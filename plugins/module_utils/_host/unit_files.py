# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which timers are enabled, from the links that say so.

``systemctl list-unit-files`` says it, too, but has the first process of the host read every unit file there is, which
keeps it busy for a second; systemd.unit(5) has the folders and their order.
"""

from __future__ import annotations

import os
import re

from .files import Files

_ADMINISTRATOR = "/etc/systemd/system"
_PLACES = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    _ADMINISTRATOR,
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)
_INSTANCE = re.compile(r"@.+\.timer$")


def enabled_timers(files: Files) -> list[str]:
    """Names of timers that an administrator enabled, whether systemd has loaded them or not.

    Those that are masked or have no unit file any more are none. Instances are named, templates are not; an alias is
    named as systemd names it, by its unit file.
    """
    found: set[str] = set()
    for folder in files.names(_ADMINISTRATOR):
        if not folder.endswith((".wants", ".requires")):
            continue
        for name in files.names(f"{_ADMINISTRATOR}/{folder}"):
            if name.endswith(".timer") and "@." not in name:
                found.add(_named(files, name))
    return sorted(found - {""})


def _named(files: Files, name: str) -> str:
    """What systemd calls this timer; empty where it is masked, or has no unit file or an empty one."""
    for wanted in dict.fromkeys((name, _INSTANCE.sub("@.timer", name))):
        for place in _PLACES:
            path = files.path(f"{place}/{wanted}")
            if not os.path.lexists(path):
                continue
            called = name
            try:
                if os.path.islink(path):
                    # Never followed as it is: below another root it would lead out of that.
                    target = os.path.normpath(os.path.join(place, os.readlink(path)))
                    path = files.path(target)
                    if wanted == name and target != os.devnull:
                        called = os.path.basename(target)
                filled = os.path.isfile(path) and os.path.getsize(path) > 0
            except OSError:
                filled = False
            return called if filled else ""
    return ""
