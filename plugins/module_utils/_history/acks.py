# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acknowledgements: somebody knows of a finding, says why it may stay, and until when. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .._core.errors import OptionError
from .._core.finding import badness
from .delta import Key, key_of

EXPIRED = "expired"
GOT_WORSE = "got worse"
RESOLVED = "resolved"
WITHDRAWN = "withdrawn"
REPLACED = "replaced"

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d{1,5})\s*(m|h|d|w)(?:in|ours?|ays?|eeks?)?", re.IGNORECASE)


@dataclass(frozen=True)
class Acknowledgement:
    """One acknowledgement.

    :ivar status: how bad the finding was when it was acknowledged.
    :ivar until: when it ends by itself, ISO 8601 in UTC.
    :ivar given: the expiry as it was asked for, ``7d``.
    :ivar ended: when it ended before that, and why; None while it holds.
    """

    id: int
    platform: str
    fingerprint: str
    check: str
    object: str
    by: str
    reason: str
    status: str
    created: str
    until: str
    given: str
    ended: str | None = None
    ended_why: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """For people and reports."""
        return {
            "fingerprint": self.fingerprint,
            "check": self.check,
            "object": self.object,
            "by": self.by,
            "reason": self.reason,
            "status": self.status,
            "created": self.created,
            "until": self.until,
        }


def judge(
    acknowledgements: Iterable[Acknowledgement],
    findings: Iterable[Mapping[str, Any]],
    seen: frozenset[Key],
    now: str,
) -> tuple[dict[str, Acknowledgement], list[tuple[Acknowledgement, str]]]:
    """Which acknowledgements hold for the findings of a run, and which have ended, and why.

    A look at a recording ends none, because what it shows is not the present.

    :param acknowledgements: that have not ended yet.
    :param now: ISO time in UTC.
    :returns: fingerprint -> what holds; what ended.
    """
    known = {one["fingerprint"]: one for one in findings}
    holds: dict[str, Acknowledgement] = {}
    ended: list[tuple[Acknowledgement, str]] = []
    for one in acknowledgements:
        finding = known.get(one.fingerprint)
        if one.until <= now:
            ended.append((one, EXPIRED))
        elif finding is not None:
            worse = badness(finding["status"]) > badness(one.status)
            if not worse:
                holds[one.fingerprint] = one
            elif not finding.get("recorded_at"):
                ended.append((one, GOT_WORSE))
        elif key_of({"check": one.check, "object": one.object}) in seen:
            ended.append((one, RESOLVED))
    return holds, ended


def parse_until(text: str, now: datetime.datetime) -> str:
    """When an acknowledgement ends: a duration from now (``36h``, ``7d``, ``2w``) or an ISO 8601 time or date.

    A time without a zone is UTC; a date means the end of that day.

    :raises OptionError: neither, or not in the future.
    """
    text = text.strip()
    match = _DURATION.fullmatch(text)
    if match:
        until = now + datetime.timedelta(**{_UNITS[match.group(2).lower()]: int(match.group(1))})
    else:
        try:
            if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
                until = datetime.datetime.fromisoformat(text + "T23:59:59+00:00")
            else:
                until = datetime.datetime.fromisoformat(re.sub(r"[Zz]$", "+00:00", text))
        except ValueError as error:
            raise OptionError(
                "expires: want a duration (36h, 7d, 2w) or an ISO 8601 time (2026-11-25T18:00:00Z), got %r" % text
            ) from error
        if until.tzinfo is None:
            until = until.replace(tzinfo=datetime.timezone.utc)
    if until <= now:
        raise OptionError("expires: %s is not in the future" % text)
    return until.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
