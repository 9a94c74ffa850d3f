# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Silences: what they match, who made them, when they end. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._metrics.prometheus import rows, text

_EVERYTHING = (".*", ".+", "^.*$", "^.+$", "(.*)", "(.+)")


def matchers(silence: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The matchers of a silence."""
    return rows(silence, "matchers")


def words(silence: Mapping[str, Any]) -> str:
    """The matchers as amtool writes them, in one order, so that a renewed silence is known again."""
    return ",".join(sorted(_word(one) for one in matchers(silence)))


def covers_everything(silence: Mapping[str, Any]) -> bool:
    """Whether no alert can escape it, as far as can be said without knowing all alerts."""
    found = matchers(silence)
    return bool(found) and all(_catches_all(one) for one in found)


def matches(silence: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a silence holds, or held, an alert with these labels."""
    found = matchers(silence)
    return bool(found) and all(_matches(one, labels) for one in found)


def author(silence: Mapping[str, Any]) -> str:
    """Who made it. Of an e-mail address the name alone is told, for the rest is taken out of reports."""
    name = text(silence, "createdBy").strip()
    return name.split("@", 1)[0] if "@" in name else name


def _word(one: Mapping[str, Any]) -> str:
    equal, pattern = one.get("isEqual") is not False, one.get("isRegex") is True
    sign = {(True, False): "=", (True, True): "=~", (False, False): "!=", (False, True): "!~"}[equal, pattern]
    return "%s%s%s" % (text(one, "name"), sign, text(one, "value"))


def _catches_all(one: Mapping[str, Any]) -> bool:
    value = text(one, "value")
    if one.get("isEqual") is False:
        return not one.get("isRegex") and value == ""
    return one.get("isRegex") is True and value in _EVERYTHING


def _matches(one: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, wanted = labels.get(text(one, "name"), ""), text(one, "value")
    if one.get("isRegex") is True:
        try:
            # Go's expressions without lookaround are Python's; the pattern comes from who may silence alerts anyway.
            hit = len(wanted) <= 1000 and re.fullmatch(wanted, value[:1000]) is not None
        except (re.error, RecursionError, OverflowError):
            return False
    else:
        hit = value == wanted
    return hit is (one.get("isEqual") is not False)


def owners(found: Sequence[Mapping[str, Any]]) -> str:
    """Who made some silences, for a sentence."""
    return ", ".join(sorted({author(one) or "somebody" for one in found}))
