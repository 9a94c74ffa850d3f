# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a repository of file trees is reached; alone, for whoever verifies another set would load the rest in vain."""

from __future__ import annotations

from typing import Any

READ_PERCENT = 5.0


def access_options() -> dict[str, dict[str, Any]]:
    """How a repository of restic is reached."""
    return {
        "password": {"type": "str", "no_log": True},
        "password_file": {"type": "path", "no_log": False},
        "environment": {"type": "dict", "no_log": True},
        "options": {"type": "dict"},
        "read_percent": {"type": "float", "default": READ_PERCENT},
    }
