# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: lay the layers of thresholds of an inventory over one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import merge

DOCUMENTATION = r"""
name: merge_thresholds
short_description: Lay the threshold layers of an inventory over one another
version_added: 0.1.0
author: Nexus COS operations (@nexuscos)
description:
  - Merges mappings of check id to C({target, alert, enabled, overrides}). Later layers win key by key,
    overrides add up.
  - The roles use it for C(nexuscos_thresholds), C(nexuscos_thresholds_group), C(nexuscos_thresholds_host) and
    C(nexuscos_thresholds_run). Ansible itself would take one layer and drop the others.
options:
  _input:
    description: The layers, the most general first. An empty layer is skipped.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: What holds for this host
  ansible.builtin.debug:
    msg: "{{ [nexuscos_thresholds, nexuscos_thresholds_host] | nexuscos.ops.merge_thresholds }}"
  vars:
    nexuscos_thresholds:
      endpoint.latency: {target: 200, alert: 500}
    nexuscos_thresholds_host:
      endpoint.latency: {alert: 900}
"""

RETURN = r"""
_value:
  description: One mapping, for the option C(thresholds) of the observing modules.
  type: dict
"""


def merge_thresholds(layers: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """See DOCUMENTATION."""
    if isinstance(layers, (str, bytes, Mapping)) or not isinstance(layers, Sequence):
        raise AnsibleFilterError("merge_thresholds: want a list of layers, got %s" % type(layers).__name__)
    for layer in layers:
        if layer is not None and not isinstance(layer, Mapping):
            raise AnsibleFilterError("thresholds: want a mapping of check id to {target, alert}, got %r" % (layer,))
    try:
        return dict(merge(layers))
    except OptionError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"merge_thresholds": merge_thresholds}
