# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugins of modules that look over the network have in common.

Such a module can look from any host. Mostly that is the controller, and there the look is taken in Ansible's own worker
process; see same_process.py. From elsewhere the module is sent, as every module is.

An action plugin of this kind is three lines::

    class ActionModule(LocalLook):
        MODULE = redis_health        # the module itself: its NAME, spec() and run()
"""

from __future__ import annotations

import traceback
from types import ModuleType
from typing import Any

from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.nexuscos.ops.plugins.plugin_utils import same_process, warm


class LocalLook(ActionBase):
    """Looks in this process where that is the same as sending the module, and sends it elsewhere.

    :cvar MODULE: the module, imported; ``spec()`` gives its options, ``run(params)`` its return values.
    :cvar LIBRARIES: import names of what the look needs beside this collection; see warm.py.
    """

    MODULE: ModuleType
    LIBRARIES: tuple[str, ...] = ()
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        warm.templates()
        warm.libraries(*cls.LIBRARIES)

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        why = same_process.why_not(self, task_vars or {})
        if why:
            Display().vvv(f"{self.MODULE.NAME} is sent as a module: {why}")
            sent: dict[str, Any] = self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val)
            return dict(merge_hash(result, sent))
        validation, given = self.validate_argument_spec(**self.MODULE.spec().to_kwargs())
        params = same_process.plain(given)
        told = {**result, **self._look(params)}
        # What AnsibleModule does with its results; there is no public name for these values.
        return dict(remove_values(told, validation._no_log_values))  # noqa: SLF001

    def _look(self, params: dict[str, Any]) -> dict[str, Any]:
        # As AnsibleModule does it: a module that crashed tells no invocation, and the report knows it by that.
        invocation = {"invocation": {"module_args": params}}
        try:
            return {"changed": False, **self.MODULE.run(params), **invocation}
        except OpsError as error:
            return {"failed": True, "msg": str(error), **invocation}
        except Exception as error:  # noqa: BLE001
            # A mistake of ours is one system's failure, as it would be in a process of its own.
            msg = f"{self.MODULE.NAME} went wrong: {type(error).__name__}: {error}"
            trace = traceback.format_exc()
            return {"failed": True, "msg": msg, "exception": trace, "module_stderr": trace}
