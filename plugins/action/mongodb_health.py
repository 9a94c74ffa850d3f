# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mongodb_health, in Ansible's own process where it is the same."""

from __future__ import annotations

from ansible_collections.nexuscos.ops.plugins.modules import mongodb_health
from ansible_collections.nexuscos.ops.plugins.plugin_utils.local_look import LocalLook


class ActionModule(LocalLook):
    """See plugins/modules/mongodb_health.py for the documentation."""

    MODULE = mongodb_health
    LIBRARIES = ("pymongo", "bson.json_util")
