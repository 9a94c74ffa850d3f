# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception tree of the collection: what a client or an evaluator may raise, and what `main()` catches."""

from __future__ import annotations


class OpsError(Exception):
    """Something the operator can act on; the text says what to do."""


class OptionError(OpsError):
    """An option, a threshold or a file given by the user is wrong. The module fails with this text."""


class LookError(OpsError):
    """The system could not be looked at. Becomes findings and unseen coverage, never a task failure.

    :ivar kind: ``refused`` (nothing listens, or the system itself says it is not serving), ``timeout`` (no answer
        before the deadline), ``denied`` (authentication or permission), ``dns``, ``tls``, ``garbage`` (an answer that
        makes no sense), ``other``.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
