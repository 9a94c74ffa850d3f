# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at all sources of one system, one after the other, before one deadline; returns counts, never the logs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .book import Book, iso
from .compose import look_at_compose
from .files import look_at_files
from .journal import look_at_journal
from .look import Look
from .options import KINDS, span

# What is still missing when this is left of the deadline is not waited for: handing over takes a moment, too.
_RESERVE = 0.5


def collect(params: Mapping[str, Any]) -> dict[str, Any]:
    """Look at the sources that the options name.

    :param params: the options of the module.
    :returns: plain JSON values: ``window`` (begin and end), ``seconds``, ``sources`` (what was read of each, and what
        not and why), ``owners`` (counts and templates by owner), ``full`` (whether events were left out).
    :raises OptionError: a source is described wrongly, a library is missing.
    """
    deadline = float(params["deadline"])
    until = time.monotonic() + max(deadline - _RESERVE, deadline / 2)
    end = time.time()
    seconds = span(params["since"])
    book = Book(end - seconds, end, int(params["max_events"]), int(params["max_templates"]))
    looks: list[Look] = []
    for source in params["sources"]:
        kind = next(one for one in KINDS if source.get(one) is not None)
        look = Look(_name(kind, [one.name for one in looks]))
        looks.append(look)
        _look_at(kind, source, params, book, look, until)
    return {
        "window": [iso(book.start), iso(book.end)],
        "seconds": seconds,
        "sources": {look.name: look.plain() for look in looks},
        "owners": book.result(),
    }


def _name(kind: str, taken: list[str]) -> str:
    number = sum(1 for one in taken if one.split("-", 1)[0] == kind)
    return kind if not number else "%s-%d" % (kind, number + 1)


def _look_at(
    kind: str, source: Mapping[str, Any], params: Mapping[str, Any], book: Book, look: Look, until: float
) -> None:
    most_bytes = int(params["max_mb"]) << 20
    service = str(source.get("service") or "")
    if time.monotonic() >= until:
        look.failed("timeout", "the deadline was over before this source was asked")
    elif kind == "pods":
        # Late, because it wants a library that managed hosts need not have.
        from .pods import Bounds, look_at_pods

        look_at_pods(source["pods"], book, look, until, Bounds(int(params["pod_lines"]), int(params["pod_kb"]) << 10))
    elif kind == "files":
        look_at_files(
            source["files"],
            source.get("exclude") or [],
            book,
            look,
            until,
            most_bytes,
            str(source.get("format") or "auto"),
            service,
        )
    elif kind == "journal":
        journal = source["journal"]
        units = [str(one) for one in journal.get("units") or []]
        look_at_journal(units, str(journal.get("priority") or "err"), book, look, until, most_bytes, service)
    else:
        look_at_compose(source["compose"], book, look, until, int(params["pod_lines"]), int(params["pod_kb"]) << 10)
