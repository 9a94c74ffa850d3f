# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: how long ago a time was."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.nexuscos.ops.plugins.module_utils._report.text import moment_of

DOCUMENTATION = r"""
name: seconds_since
short_description: Seconds since a time
version_added: 0.1.0
author: Nexus COS operations
description:
  - Seconds between an ISO 8601 time and now, by the clock of the controller; 0 for a time ahead.
options:
  _input:
    description: The time, such as RV(nexuscos.ops.run_start#module:run).started.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: How long has this run been going?
  ansible.builtin.debug:
    msg: "{{ nexuscos_run.run.started | nexuscos.ops.seconds_since }}"
"""

RETURN = r"""
_value:
  description: Seconds.
  type: float
"""


def seconds_since(when: Any) -> float:
    """See DOCUMENTATION."""
    moment = moment_of(str(when))
    if moment is None:
        raise AnsibleFilterError("seconds_since: want an ISO 8601 time such as 2026-11-22T06:00:00Z, got %r" % (when,))
    return max(time.time() - moment, 0.0)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"seconds_since": seconds_since}
