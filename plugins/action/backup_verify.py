# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""backup_verify, with the password of a vault id that only the controller knows."""

from __future__ import annotations

from ansible_collections.nexuscos.ops.plugins.plugin_utils.vault_password import VaultPassword


class ActionModule(VaultPassword):
    """See plugins/modules/backup_verify.py for the documentation."""
