"""Hypothesis for all unit tests: the same examples in every run, no clock, nothing left in the checkout."""

from __future__ import annotations

import ssl
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

set_hypothesis_home_dir(Path(__file__).resolve().parents[2] / ".cache" / "hypothesis")
settings.register_profile(
    "unit", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unit")


def _close_what_never_shook_hands(socket: ssl.SSLSocket) -> None:
    """Close a TLS socket that has no session yet; one with a session keeps its warning when nobody closes it.

    Python's own wrap_socket() leaves one behind, open, when the other side was gone before it began (getpeername or
    recv fail). Nobody has a name for that socket, so nobody can close it, and the warning would come now and then.
    """
    if getattr(socket, "_sslobj", None) is None:
        socket.close()
    super(ssl.SSLSocket, socket).__del__()  # type: ignore[misc]


ssl.SSLSocket.__del__ = _close_what_never_shook_hands  # type: ignore[attr-defined]
