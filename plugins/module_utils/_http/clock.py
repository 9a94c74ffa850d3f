# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a request took, without the time in which this machine had no CPU for whoever asked.

Thirty looks at once on two cores wait for one another. That is the controller's, and no latency of an endpoint.
"""

from __future__ import annotations

import time

_SCHEDULER = "/proc/thread-self/schedstat"


def kept_waiting() -> float:
    """Seconds that this thread was ready to run and had no CPU, since it began; 0 where the kernel does not say."""
    try:
        with open(_SCHEDULER, encoding="ascii") as stream:
            return int(stream.read(200).split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


class Watch:
    """A stopwatch of the thread that makes it."""

    def __init__(self) -> None:
        self._began, self._waited = time.monotonic(), kept_waiting()

    def ms(self) -> tuple[float, float]:
        """Milliseconds since it was made: those that count, and those without a CPU."""
        waited = max(kept_waiting() - self._waited, 0.0)
        whole = time.monotonic() - self._began
        waited = min(waited, whole)
        return round((whole - waited) * 1000, 2), round(waited * 1000, 2)
