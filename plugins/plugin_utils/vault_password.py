# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugins of modules that take `vault_id`: only the controller knows the passwords of its vault ids."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import merge_hash


class VaultId(ActionBase):
    """One base of an action, the other does the work: a task without a password gets that of its `vault_id`."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        given = dict(self._task.args)
        label = given.get("vault_id")
        if label and not given.get("vault_password") and not given.get("vault_password_file"):
            # A label may have several passwords; Ansible encrypts with the first, and so do we.
            for known, secret in self._loader._vault.secrets or []:  # noqa: SLF001
                if known == label and secret.bytes:
                    given["vault_password"] = secret.bytes.decode("utf-8")
                    break
        # A copy of the task, made for this item and in this process.
        self._task.args = given
        return dict(super().run(tmp, task_vars))


class Sent(ActionBase):
    """Sends the module of the same name, as Ansible does with those that have no action."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        sent: dict[str, Any] = self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val)
        return dict(merge_hash(result, sent))


class VaultPassword(VaultId, Sent):
    """Both: the action of a module that needs no other."""
