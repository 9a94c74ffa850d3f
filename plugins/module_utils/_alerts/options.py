# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of `alerts_info`, and what a look makes of them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from .._core.argspec import ArgSpec
from .._core.errors import OptionError
from .._metrics.options import CONNECTION
from .._metrics.prometheus import duration
from .collect import Options

GROUP_BY = ("service", "host", "instance", "namespace", "job")
SEVERITIES = {
    "critical": "critical",
    "error": "critical",
    "page": "critical",
    "warning": "warning",
    "info": "ok",
    "none": "ok",
}
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")


def alerts_spec() -> ArgSpec:
    """What is asked, and of which Prometheus."""
    return ArgSpec(
        {
            "prometheus_url": {"type": "str"},
            "prometheus_token": {"type": "str", "no_log": True},
            "prometheus_username": {"type": "str"},
            "prometheus_password": {"type": "str", "no_log": True},
            "prometheus_connect_to": {"type": "str"},
            "since": {"type": "str", "default": "24h"},
            "flapping_window": {"type": "str", "default": "1h"},
            "notification_window": {"type": "str", "default": "15m"},
            "group_by": {"type": "list", "elements": "str", "default": list(GROUP_BY)},
            "severities": {"type": "dict", "default": dict(SEVERITIES)},
            "watchdog": {"type": "str", "default": ""},
            "expected_peers": {"type": "int", "default": 0},
            "expiring": {"type": "str", "default": "2h"},
        },
        mutually_exclusive=[("prometheus_token", "prometheus_username")],
        required_together=[("prometheus_username", "prometheus_password")],
    )


def read(params: Mapping[str, Any], now: float) -> Options:
    """Options of a look from options of the module.

    :param now: seconds since the epoch.
    :raises OptionError: one makes no sense.
    """
    for label in params["group_by"]:
        if not _LABEL.match(label):
            raise OptionError(f"group_by: {label!r} cannot be the name of a label")
    for severity, status in params["severities"].items():
        if status not in ("ok", "warning", "critical"):
            raise OptionError(f"severities: {severity}: want ok, warning or critical, got {status!r}")
    if params["expected_peers"] < 0:
        raise OptionError(f"expected_peers: want 0 or more, got {params['expected_peers']}")
    duration(params["notification_window"], "notification_window")
    source: dict[str, Any] | None = None
    if params["prometheus_url"]:
        source = {
            **{name: params[name] for name in ("ca_path", "validate_certs", "timeout")},
            **{name: params["prometheus_" + name] for name in ("url", "token", "username", "password", "connect_to")},
        }
    return Options(
        connection={name: params[name] for name in CONNECTION},
        prometheus=source,
        deadline=params["deadline"],
        since=moment_of(params["since"], now),
        now=now,
        window_s=duration(params["flapping_window"], "flapping_window"),
        notification_window=params["notification_window"],
        group_by=tuple(params["group_by"]),
        severities={str(name).lower(): str(status) for name, status in params["severities"].items()},
        watchdog=params["watchdog"],
        expected_peers=params["expected_peers"],
        expiring_s=duration(params["expiring"], "expiring"),
    )


def moment_of(since: str, now: float) -> float:
    """Seconds since the epoch of a point in the past: a duration before now, or a time as ISO 8601.

    :raises OptionError: it is neither, or not in the past.
    """
    text = since.strip()
    if re.fullmatch(r"(?:\d+(?:ms|s|m|h|d|w|y))+", text):
        return now - duration(text, "since")
    try:
        found = datetime.datetime.fromisoformat(re.sub(r"[Zz]\Z", "+00:00", text))
    except ValueError as error:
        raise OptionError(
            f"since: want a duration such as 24h or a time such as 2026-11-28T18:00:00Z, got {since!r}"
        ) from error
    if found.tzinfo is None:
        found = found.replace(tzinfo=datetime.timezone.utc)
    if found.timestamp() >= now:
        raise OptionError(f"since: {since} is not in the past")
    return found.timestamp()
