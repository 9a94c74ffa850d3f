# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugins of modules that look on the managed host have in common; see module_utils/_core/remote.py.

An action plugin of this kind is a few lines::

    class ActionModule(RemoteLook):
        NAME = "host_health"
        CHECKS = checks.CHECKS

        def spec(self) -> ArgSpec:                       # that of the module, from a file that both import
            return options.spec()

        def judge(self, observation, judge, given, earlier) -> None:
            evaluate.evaluate(observation, judge, ...)

and the module's main() ends with ``module.exit_json(changed=False, **remote.hand_over(collect(...)))``. An option
``previous`` of the spec is read here and given to :meth:`RemoteLook.judge` as `earlier`.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._core import remote
from ansible_collections.nexuscos.ops.plugins.module_utils._core.argspec import ArgSpec
from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import Check
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.recording import Recording
from ansible_collections.nexuscos.ops.plugins.plugin_utils import same_process, warm


class RemoteLook(ActionBase):
    """Sends the module to the host and judges here what it saw.

    :cvar NAME: short name of the module.
    :cvar CHECKS: its checks.
    """

    NAME = ""
    CHECKS: tuple[Check, ...] = ()
    TRANSFERS_FILES = False
    _supports_check_mode = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        warm.templates()

    def spec(self) -> ArgSpec:
        """The options of the module, the controller's included."""
        raise NotImplementedError

    def check(self, given: dict[str, Any]) -> None:
        """Refuse options that can only be a mistake, before the host is contacted (OptionError)."""

    def judge(
        self, observation: dict[str, Any], judge: Judge, given: dict[str, Any], earlier: Recording | None
    ) -> None:
        """Judge what was seen.

        :param given: the validated options; earlier: the recording that `previous` names, where there is one.
        """
        raise NotImplementedError

    def complete(self, observation: dict[str, Any], given: dict[str, Any], earlier: Recording | None) -> dict[str, Any]:
        """Add to a fresh observation what only the controller knows, such as values of the `earlier` look."""
        del given, earlier
        return observation

    def look(self, params: dict[str, Any]) -> dict[str, Any] | None:
        """Look in this process, where the host is this one (see same_process.py); None where that is not wanted."""
        del params
        return None

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        # A wrong option is refused before the host is contacted.
        _validation, given = self.validate_argument_spec(**self.spec().to_kwargs())

        def ask() -> dict[str, Any]:
            if not same_process.why_not(self, task_vars or {}):
                seen = self.look(same_process.plain(given))
                if seen is not None:
                    return remote.hand_over(seen)
            answer: dict[str, Any] = self._execute_module(
                module_name="nexuscos.ops.%s" % self.NAME,
                module_args=remote.for_host(self._task.args),
                task_vars=task_vars,
            )
            return answer

        try:
            self.check(given)
            earlier = remote.earlier(given.get("previous"), self.NAME)
            judged = remote.judge_here(
                self.NAME,
                given,
                self.CHECKS,
                BY_ID,
                ask,
                lambda observation, judge: self.judge(observation, judge, given, earlier),
                lambda observation: self.complete(observation, given, earlier),
            )
        except remote.NotSeen as trouble:
            answer = {key: value for key, value in trouble.answer.items() if key != remote.KEY}
            return {**result, "failed": True, "msg": str(trouble), **answer}
        except OpsError as error:
            return {**result, "failed": True, "msg": str(error)}
        return {**result, "changed": False, **judged}
