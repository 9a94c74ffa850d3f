# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which findings are meant, and what changing an acknowledgement comes to. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._core.errors import OptionError
from .acks import Acknowledgement, parse_until

_SHORTEST = 6


def pick(known: Sequence[Mapping[str, Any]], name: str, check: str, obj: str) -> Mapping[str, Any]:
    """The one finding that is meant.

    :param known: what is known, the newest first.
    :param name: its fingerprint, or how it begins.
    :param check: its check, and obj: its object; where there is no name.
    :raises OptionError: none, or more than one; the text names what is near.
    """
    if name:
        wanted = name.strip().lstrip("#").lower()
        if len(wanted) < _SHORTEST:
            raise OptionError("fingerprint: want at least its first %d characters, got %r" % (_SHORTEST, name))
        found = [one for one in known if str(one["fingerprint"]).startswith(wanted)]
    else:
        found = [one for one in known if one["check"] == check and one["object"] == obj]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join("%s %s" % (str(one["fingerprint"])[:12], one["object"]) for one in found[:4])
        raise OptionError("fingerprint: %s is the beginning of several: %s" % (name, shown))
    raise OptionError(
        "no finding of the last runs is %s%s. Want the fingerprint that the report shows, or its check and object"
        % (name or "%s of %s" % (check, obj), _near(known, name, check, obj))
    )


def _near(known: Iterable[Mapping[str, Any]], name: str, check: str, obj: str) -> str:
    words = {"%s %s" % (one["check"], one["object"]): one for one in known}
    near = [] if name else difflib.get_close_matches("%s %s" % (check, obj), list(words), 2, 0.5)
    return " (did you mean %s?)" % " or ".join(near) if near else ""


def current(acknowledgements: Iterable[Acknowledgement], name: str, now: str) -> Acknowledgement | None:
    """What holds for a finding."""
    holds = [one for one in acknowledgements if one.fingerprint == name and one.until > now]
    return holds[-1] if holds else None


def wanted(
    before: Acknowledgement | None,
    finding: Mapping[str, Any],
    platform: str,
    by: str,
    reason: str,
    until: str,
    now: Any,
    now_text: str,
) -> Acknowledgement:
    """What should hold; the same object as `before` where nothing has to change.

    A duration that was asked for once is not asked for again: a task that runs twice does not make it longer.

    :param now: the present time as a datetime; now_text: as ISO.
    :raises OptionError: the expiry is none.
    """
    if before is not None and (before.by, before.reason, before.given) == (by, reason, until.strip()):
        return before
    ends = parse_until(until, now)
    if before is not None and (before.by, before.reason, before.until) == (by, reason, ends):
        return before
    return Acknowledgement(
        0,
        platform,
        str(finding["fingerprint"]),
        str(finding["check"]),
        str(finding["object"]),
        by,
        reason,
        str(finding["status"]),
        now_text,
        ends,
        until.strip(),
    )


def shown(one: Acknowledgement | None) -> dict[str, Any]:
    """For a diff: nothing where there is none."""
    return {} if one is None else one.to_dict()
