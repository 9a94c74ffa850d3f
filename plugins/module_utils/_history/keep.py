# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history as a run uses it: read before the report is told, written after; it may fail, the run may not."""

from __future__ import annotations

from typing import Any

from .._core.redact import redact_text
from .delta import Past
from .place import OFF, HistoryError, default_url, shown
from .store import History, exists, open_history

_MOST_RUNS = 500
"""Runs of one day that are read at most: a round of the watch every three minutes."""


class Keeper:
    """One run's way to the history. No method raises for a history that cannot be read or written.

    :ivar error: what went wrong first; None as long as nothing did.
    :ivar off: whether no history is wanted.
    """

    def __init__(self, url: str, folder: str, write: bool) -> None:
        """Open the history.

        :param url: `nexuscos_history_url`; empty for a file beside the reports, ``none`` for no history.
        :param folder: `nexuscos_report_dir`.
        :param write: False (check mode) writes nothing.
        """
        self.off = url.strip().lower() == OFF
        self.write = write
        self.error: str | None = None
        self._history: History | None = None
        self._url = url.strip() or default_url(folder)
        if self.off or (not write and not exists(self._url)):
            return
        try:
            self._history = open_history(self._url, write)
        except Exception as error:  # noqa: BLE001
            self._note(error)

    def consult(self, report: dict[str, Any], now: str) -> None:
        """Lay what is known of before over a report. Changes it in place.

        :param now: ISO time in UTC, by which acknowledgements expire.
        """
        from .._report import delta_view

        delta_view.complete(report)
        self._tell(report, False)
        if self._history is None:
            return
        procedure, platform = str(report["run"]["procedure"]), str(report["run"]["platform"])
        try:
            past: list[Past] = self._history.recent(procedure, platform)
            acknowledgements = self._history.acknowledgements(platform)
            series = self._history.series([run.id for run in past[: delta_view.POINTS - 1]])
            ended = delta_view.apply(report, past, acknowledgements, now)
            delta_view.trends(report, past, series)
        except Exception as error:  # noqa: BLE001
            self._note(error)
            delta_view.forget(report)
            self._tell(report, False)
            return
        if self.write and ended:
            try:
                self._history.end(ended, now)
            except Exception as error:  # noqa: BLE001
                self._note(error)
                self._tell(report, False)

    def since(self, platform: str, started: str) -> list[dict[str, Any]]:
        """The reports of all runs on a platform that began at a time or later; none where they cannot be read."""
        if self._history is None:
            return []
        try:
            names = [run["id"] for run in self._history.runs("", platform, _MOST_RUNS) if run["started"] >= started]
            found = [self._history.report(name) for name in names]
        except Exception as error:  # noqa: BLE001
            self._note(error)
            return []
        return [one for one in found if one is not None]

    def record(self, report: dict[str, Any], keep_runs: int, keep_days: int, now: str) -> None:
        """Keep the run, and remove what is beyond the count or the age that is wanted."""
        if self._history is None or not self.write:
            return
        run = report["run"]
        kept = False
        try:
            # Written as it will be when it is there.
            self._tell(report, True)
            run["id"] = self._history.record(report)
            kept = True
            self._history.prune(str(run["procedure"]), str(run["platform"]), keep_runs, keep_days, now)
        except Exception as error:  # noqa: BLE001
            self._note(error)
        self._tell(report, kept)

    def _note(self, error: Exception) -> None:
        known = isinstance(error, HistoryError)
        text = str(error) if known else "the history failed: %s: %s" % (type(error).__name__, error)
        self.error = self.error or redact_text(" ".join(text.split()))

    def _tell(self, report: dict[str, Any], kept: bool) -> None:
        report["history"].update(kept=kept, error=self.error, url=None if self.off else shown(self._url))
