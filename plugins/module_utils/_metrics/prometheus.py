# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP API of Prometheus (and of what speaks like it: Thanos, Mimir, VictoriaMetrics): answers as plain values.

Numbers stay the texts that Prometheus sends, since ``NaN`` and ``+Inf`` are no JSON; :func:`number` reads them.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._core.errors import OptionError
from .._core.web import OTHER, Answer, Request

BAD_QUERY = "bad_query"
"""The server could not even parse the expression: the user's mistake, not the platform's."""

MOST_SERIES = 5000
"""Of one answer; more is another question than "which object is ill"."""

_DURATION = re.compile(r"(\d+)(ms|s|m|h|d|w|y)")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)\Z")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


def duration(text: object, option: str) -> float:
    """Seconds of a duration as PromQL writes it: ``5m``, ``1h30m``.

    :raises OptionError: it is none, or nothing.
    """
    words = str(text).strip()
    parts = _DURATION.findall(words)
    seconds = sum(int(count) * _SECONDS[unit] for count, unit in parts)
    if not parts or "".join(count + unit for count, unit in parts) != words or seconds <= 0:
        raise OptionError(f"{option}: want a duration such as 5m or 1h30m, got {words!r}")
    return float(seconds)


def query(expression: str, timeout: float) -> Request:
    """The request of an instant query."""
    return Request("/api/v1/query", {"query": expression, "timeout": f"{int(max(timeout, 0.1) * 1000)}ms"})


def error(answer: Answer) -> dict[str, str] | None:
    """What is wrong with an answer of the API, as an observation keeps it."""
    data = answer.data if isinstance(answer.data, Mapping) else {}
    if answer.error is None:
        if data.get("status") == "success":
            return None
        return {"kind": OTHER, "text": "the answer is not one of Prometheus"}
    if data.get("errorType") == "bad_data":
        return {"kind": BAD_QUERY, "text": str(data.get("error") or answer.error["text"])}
    return dict(answer.error)


def data(answer: Answer) -> Any:
    """The part of an answer that matters, None where there is none."""
    return answer.data.get("data") if error(answer) is None else None


def vector(answer: Answer) -> dict[str, Any]:
    """An instant query's answer: ``{"error", "warnings", "cut", "series": [{"labels", "at", "value"}]}``."""
    wrong = error(answer)
    seen: dict[str, Any] = {"error": wrong, "warnings": [], "cut": 0, "series": []}
    if wrong is not None:
        return seen
    seen["warnings"] = [str(one)[:300] for one in _list(answer.data.get("warnings"))[:5]]
    found = answer.data.get("data")
    found = found if isinstance(found, Mapping) else {}
    kind, result = found.get("resultType"), found.get("result")
    if kind == "scalar" and isinstance(result, list):
        result = [{"metric": {}, "value": result}]
    elif kind != "vector":
        seen["error"] = {
            "kind": BAD_QUERY,
            "text": f"the query gives a {kind}; want one number an object (an instant vector or a scalar)",
        }
        return seen
    rows = [row for row in _list(result) if isinstance(row, Mapping)]
    seen["cut"] = max(len(rows) - MOST_SERIES, 0)
    for row in rows[:MOST_SERIES]:
        value = row.get("value")
        # A native histogram has no value.
        if isinstance(value, list) and len(value) == 2:
            seen["series"].append({"labels": _labels(row.get("metric")), "at": value[0], "value": str(value[1])})
    return seen


def matrix(answer: Answer, most: int = MOST_SERIES) -> dict[str, Any]:
    """The answer of a range: ``{"error", "cut", "series": [{"labels", "times": [seconds]}]}``, without the values."""
    seen: dict[str, Any] = {"error": error(answer), "cut": 0, "series": []}
    found = data(answer)
    rows = [
        row for row in _list(found.get("result") if isinstance(found, Mapping) else None) if isinstance(row, Mapping)
    ]
    seen["cut"] = max(len(rows) - most, 0)
    for row in rows[:most]:
        times = [one[0] for one in _list(row.get("values")) if isinstance(one, list) and one]
        times = [round(one, 3) for one in times if isinstance(one, (int, float)) and not isinstance(one, bool)]
        seen["series"].append({"labels": _labels(row.get("metric")), "times": times})
    return seen


def number(text: Any) -> float | None:
    """A sample's value; NaN and the infinities are numbers here. None for what is none."""
    if isinstance(text, bool) or not isinstance(text, (int, float, str)):
        return None
    try:
        return float(text)
    except (ValueError, OverflowError):
        return None


def finite(text: Any) -> float | None:
    """A number that can be reckoned with, or None."""
    value = number(text)
    return value if value is not None and math.isfinite(value) else None


def moment(stamp: str) -> float | None:
    """Seconds since the epoch of a time as Go writes it; None for none and for Go's time zero."""
    match = _TIME.match(stamp)
    if not match:
        return None
    zone = "+00:00" if match.group(2) == "Z" else match.group(2)
    try:
        found = datetime.datetime.strptime(match.group(1) + zone.replace(":", ""), "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except (ValueError, OverflowError):
        return None
    return found if found > 0 else None


def labels_of(series: Any) -> dict[str, str]:
    """The labels of a series of an observation, which may come from a file."""
    return _labels(series.get("labels")) if isinstance(series, Mapping) else {}


def rows(container: Any, key: str) -> list[Mapping[str, Any]]:
    """The mappings in a list of an observation, whatever is there."""
    found = container.get(key) if isinstance(container, Mapping) else None
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, (list, tuple)) else []


def mapping(container: Any, key: str) -> Mapping[str, Any]:
    """A mapping of an observation, or an empty one."""
    found = container.get(key) if isinstance(container, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def text(container: Any, key: str) -> str:
    """A text of an observation, or an empty one."""
    found = container.get(key) if isinstance(container, Mapping) else None
    return found if isinstance(found, str) else ""


def texts(container: Any, key: str) -> list[str]:
    """The texts of a list of an observation."""
    found = container.get(key) if isinstance(container, Mapping) else None
    return [one for one in found if isinstance(one, str)] if isinstance(found, (list, tuple)) else []


def excuse(failed: Mapping[str, Any]) -> str:
    """The text of an error entry."""
    return text(failed, "text") or "no answer"


def shortest(words: Sequence[str], most: int = 5) -> str:
    """A list for a title: ``a, b and 3 more``."""
    shown = list(words[:most])
    more = len(words) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _labels(metric: Any) -> dict[str, str]:
    if not isinstance(metric, Mapping):
        return {}
    return {str(key): str(value) for key, value in metric.items() if isinstance(value, (str, int, float))}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
