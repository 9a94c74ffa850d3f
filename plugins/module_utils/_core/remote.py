# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that look on the managed host and are judged on the controller.

Such a module has two halves. What stands in ``plugins/modules`` runs on the managed host: it looks, and hands over what
it saw (:func:`hand_over`). The action plugin of the same name runs on the controller (a subclass of
``plugins/plugin_utils/remote_look.py``): it sends the module over, judges what comes back, and deals with the options
that name files of the controller: ``record_to``, ``replay_from``, ``previous``. It costs one execution a host; a replay
contacts no host at all. People and the documentation see one module, which returns findings as all of them do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Callable

from . import recording
from .check import Check
from .errors import OptionError
from .judge import Judge
from .observe import Observation, observe
from .recording import Recording
from .redact import redact

KEY = "observation"
"""Where the half on the host puts what it saw. The action plugin takes it out again: no caller ever gets it."""

ON_CONTROLLER: tuple[str, ...] = ("record_to", "replay_from", "previous", "thresholds", "include_ok")
"""Options of the controller's half. They are not sent to the host; thresholds alone would be most of what is sent."""


class NotSeen(Exception):
    """The module did not come back with an observation.

    :ivar answer: what came back instead: ``failed`` or ``unreachable``, with a message.
    """

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__(str(answer.get("msg") or "no observation"))
        self.answer = dict(answer)


def hand_over(observation: Observation) -> dict[str, Any]:
    """On the host: the module's return values. Redacted here, so that no secret travels or shows up with ``-vvvv``."""
    return {KEY: redact(observation)}


def for_host(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """On the controller: the task's arguments without those that are the controller's own business."""
    return {name: value for name, value in arguments.items() if name not in ON_CONTROLLER}


def earlier(path: str | None, name: str) -> Recording | None:
    """On the controller: the recording that ``previous`` names; None where there is none (the first look).

    :raises OptionError: it is there, but damaged or of another module.
    """
    return recording.read(path, name) if path and os.path.exists(path) else None


def judge_here(
    name: str,
    params: Mapping[str, Any],
    own: Iterable[Check],
    every: Mapping[str, Check],
    ask: Callable[[], Mapping[str, Any]],
    evaluate: Callable[[Observation, Judge], None],
    complete: Callable[[Observation], Observation] | None = None,
) -> dict[str, Any]:
    """On the controller: let the host look, or take a recording; judge, and record.

    :param name: short name of the module.
    :param params: the validated options of the task.
    :param own: the checks of this module; every: all checks of the collection by id.
    :param ask: runs the module on the host and returns what it returned; not called in a replay.
    :param evaluate: judges an observation; pure.
    :param complete: adds to a fresh observation what only the controller knows, before it is recorded and judged.
    :raises NotSeen: the module failed, or its host could not be reached.
    :raises OptionError: wrong options, unreadable recording.
    """

    def collect() -> Observation:
        answer = ask()
        observation = answer.get(KEY)
        if answer.get("failed") or answer.get("unreachable") or not isinstance(observation, Mapping):
            raise NotSeen(answer)
        seen = dict(observation)
        return complete(seen) if complete else seen

    if not params.get("target"):
        raise OptionError("target: want the name of the system")
    return observe(name, params, own, every, collect, evaluate)
