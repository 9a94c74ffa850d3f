# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore, and show how far it is."""

from __future__ import annotations

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import progress
from ansible_collections.nexuscos.ops.plugins.plugin_utils.long_work import LongWork


class ActionModule(LongWork):
    """See plugins/modules/files_restore.py for the documentation, and for the work itself."""

    MODULE = "files_restore"
    WHAT = progress.RESTORE
