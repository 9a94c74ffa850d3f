from __future__ import annotations

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import progress
from ansible_collections.nexuscos.ops.plugins.plugin_utils.long_work import LongWork


class ActionModule(LongWork):
    """See plugins/modules/backup_offsite.py for the documentation, and for the work itself."""

    MODULE = "backup_offsite"
    WHAT = progress.COPY
    # One job is about many systems, and what comes of it is none of theirs.
    NOTED = False

    def _asked_about(self, running: list[str]) -> list[str]:
        given = self._task.args.get("systems") or []
        return [str(one) for one in given] if isinstance(given, list) else running[:0]
