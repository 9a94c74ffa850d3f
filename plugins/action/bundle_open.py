# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open a support bundle: check it, take the recordings out, and say which systems it speaks of."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._report import bundle


class ActionModule(ActionBase):
    """See plugins/modules/bundle_open.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(argument_spec={"path": {"type": "str", "required": True}})
        path = os.path.abspath(os.path.expanduser(given["path"]))
        into = tempfile.mkdtemp(prefix="nexuscos-bundle-")
        try:
            contents = bundle.unpack(path, into)
            bundle.write_variables(contents["systems"], into)
        except OptionError as error:
            shutil.rmtree(into, ignore_errors=True)
            return {**result, "failed": True, "msg": str(error)}
        return {
            **result,
            "changed": False,
            "folder": contents["folder"],
            "temporary": into,
            "made": contents["made"],
            "common": contents["common"],
            "systems": contents["systems"],
            "missing": contents["missing"],
        }
