# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .markdown import render as markdown


def render(report: Mapping[str, Any]) -> str:
    """The whole page."""
    return "<pre>%s</pre>" % markdown(report).replace("&", "&amp;").replace("<", "&lt;")
