# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Acknowledge a finding of the last runs, or take that back."""

from __future__ import annotations

import datetime
import getpass
import os
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.observe import now_iso
from ansible_collections.nexuscos.ops.plugins.module_utils._history import choose
from ansible_collections.nexuscos.ops.plugins.module_utils._history.acks import WITHDRAWN, Acknowledgement
from ansible_collections.nexuscos.ops.plugins.module_utils._history.place import HistoryError, default_url, shown
from ansible_collections.nexuscos.ops.plugins.module_utils._history.store import History, exists, open_history


class ActionModule(ActionBase):
    """See plugins/modules/acknowledgement.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(
            argument_spec={
                "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                "fingerprint": {"type": "str", "default": ""},
                "check": {"type": "str", "default": ""},
                "object": {"type": "str", "default": ""},
                "by": {"type": "str", "default": ""},
                "reason": {"type": "str", "default": ""},
                "expires": {"type": "str", "default": "", "aliases": ["until"]},
                "platform": {"type": "str", "default": "platform"},
                "dir": {"type": "str", "default": "reports"},
                "history_url": {"type": "str", "default": "", "no_log": True},
            }
        )
        try:
            return {**result, **_change(given, bool(self._task.check_mode))}
        except (OptionError, HistoryError) as error:
            return {**result, "failed": True, "msg": str(error)}


def _change(given: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    present = given["state"] == "present"
    if not given["fingerprint"] and not (given["check"] and given["object"]):
        raise OptionError("say which finding: its fingerprint, or its check and its object")
    missing = [name for name in ("reason", "expires") if present and not given[name].strip()]
    if missing:
        raise OptionError("an acknowledgement wants %s" % " and ".join(missing))
    url = given["history_url"].strip() or default_url(given["dir"])
    if not exists(url):
        raise OptionError("there is no history at %s yet: run a procedure first" % shown(url))
    history = open_history(url, write=not check_mode)
    now = datetime.datetime.now(datetime.timezone.utc)
    holding = history.acknowledgements(given["platform"])
    finding = choose.pick(
        _known(history, holding, given["platform"]), given["fingerprint"], given["check"], given["object"]
    )
    before = choose.current(holding, finding["fingerprint"], now_iso())
    after: Acknowledgement | None = None
    if present:
        after = choose.wanted(
            before,
            finding,
            given["platform"],
            given["by"].strip() or _user(),
            given["reason"].strip(),
            given["expires"],
            now,
            now_iso(),
        )
    changed = after is not before
    if changed and not check_mode:
        if after is not None:
            after = history.acknowledge(after)
        elif before is not None:
            history.end([(before, WITHDRAWN)], now_iso())
    name = "%s of %s" % (finding["check"], finding["object"])
    what = "is acknowledged until %s" % after.until if after else "is not acknowledged"
    return {
        "changed": changed,
        "msg": "%s %s" % (name, what),
        "acknowledgement": after.to_dict() if after else None,
        "finding": {key: finding[key] for key in ("fingerprint", "check", "object", "status", "title")},
        "diff": {
            "before_header": "acknowledgement of %s" % name,
            "after_header": "acknowledgement of %s" % name,
            "before": choose.shown(before),
            "after": choose.shown(after),
        },
    }


def _known(history: History, holding: list[Acknowledgement], platform: str) -> list[dict[str, Any]]:
    """Findings of the last runs, and what is acknowledged though the runs that found it are gone."""
    known = history.known(platform)
    names = {one["fingerprint"] for one in known}
    older = [
        {"fingerprint": one.fingerprint, "check": one.check, "object": one.object, "status": one.status, "title": ""}
        for one in holding
        if one.fingerprint not in names
    ]
    return known + older


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        # A container may run as a number that has no name.
        return str(os.getuid())
