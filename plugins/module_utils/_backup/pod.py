# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of ``kubectl exec`` that start a command in a pod.

kubectl and no library: the host that keeps the backups has it, it speaks every version of the stream's protocol, and it
is a process, which is ended and watched as the engines' other processes are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .._core.errors import OptionError

KUBECTL = "kubectl"
# Kubernetes's own names. None begins with a dash, and so is none taken for an option of kubectl.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_POD = re.compile(r"([a-z][a-z.]*/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
# kubectl would wait a minute for a pod that is just being made; the next run of the backup is nearer than its harm.
_START_SECONDS = 10


def option() -> dict[str, Any]:
    """The option ``pod`` of a module."""
    return {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str"},
            "container": {"type": "str"},
            "kubeconfig": {"type": "path"},
            "context": {"type": "str"},
            "kubectl": {"type": "path", "default": KUBECTL},
        },
    }


def prefix(given: Mapping[str, Any]) -> tuple[str, ...]:
    """What stands before a command that is to run in the pod.

    :param given: the option ``pod``.
    :raises OptionError: a name cannot be one.
    """
    words = [given.get("kubectl") or KUBECTL]
    for name, word in (("kubeconfig", "--kubeconfig"), ("context", "--context")):
        if given.get(name):
            words.append(f"{word}={given[name]}")
    if given.get("namespace"):
        words.append("--namespace=" + _checked("namespace", given["namespace"], _NAME))
    words += ["exec", "--stdin", "--quiet", f"--pod-running-timeout={_START_SECONDS}s"]
    if given.get("container"):
        words.append("--container=" + _checked("container", given["container"], _NAME))
    return (*words, _checked("name", given["name"], _POD), "--")


def named(given: Mapping[str, Any]) -> dict[str, str]:
    """Which pod it is, for a manifest: nothing in it is of the machine that keeps the backups.

    :param given: the option ``pod``.
    """
    return {key: given[key] for key in ("context", "namespace", "name", "container") if given.get(key)}


def _checked(option_name: str, text: str, wanted: re.Pattern[str]) -> str:
    if not wanted.fullmatch(text):
        raise OptionError(f"pod: {option_name}: {text!r} is no name that Kubernetes gives")
    return text
