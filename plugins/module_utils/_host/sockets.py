# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening sockets, and what the inventory expects of them."""

from __future__ import annotations

import ipaddress
import re
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._core.errors import OptionError
from .files import Files

_TABLES = (("tcp", "/proc/net/tcp"), ("tcp", "/proc/net/tcp6"), ("udp", "/proc/net/udp"), ("udp", "/proc/net/udp6"))
_LISTEN, _UNCONNECTED = "0A", "07"
_EXPECTED = re.compile(
    r"(?:(?P<address>\[[0-9A-Fa-f:.]+\]|[0-9.]+):)?(?P<first>\d{1,5})(?:-(?P<last>\d{1,5}))?(?:/(?P<protocol>tcp|udp))?\Z"
)


@dataclass(frozen=True)
class Expected:
    """One entry of the list of sockets that must listen."""

    text: str
    protocol: str
    first: int
    last: int
    address: str | None

    def covers(self, row: Mapping[str, Any]) -> bool:
        """Whether a listening socket is one of those that this entry names."""
        if row.get("protocol") != self.protocol or not isinstance(row.get("port"), int):
            return False
        return self.first <= row["port"] <= self.last and self.address in (None, row.get("address"))


def parse(entries: Sequence[str] | None) -> list[Expected]:
    """Read ``22``, ``53/udp``, ``127.0.0.1:6379``, ``[::1]:25/tcp``, ``60000-61000/udp``.

    :raises OptionError: an entry is something else.
    """
    found = []
    for entry in entries or ():
        match = _EXPECTED.match(str(entry).strip())
        if match is None:
            raise OptionError(f"listening: want port, port/protocol or address:port/protocol, got {entry!r}")
        first = int(match.group("first"))
        last = int(match.group("last") or first)
        if not 0 < first <= last < 65536:
            raise OptionError(f"listening: {entry!r} is no port from 1 to 65535, or a range the wrong way round")
        address = (match.group("address") or "").strip("[]") or None
        if address is not None:
            try:
                address = str(ipaddress.ip_address(address))
            except ValueError as error:
                raise OptionError(f"listening: {entry!r}: {error}") from error
        found.append(Expected(str(entry), match.group("protocol") or "tcp", first, last, address))
    return found


def look(files: Files, owners: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What listens: protocol, address, port, and the process where it could be seen.

    :returns: ``sockets``, and ``dynamic``: first and last of the ports that the kernel hands out by itself.
    """
    rows: dict[tuple[str, str, int], dict[str, Any]] = {}
    files.read(_TABLES[0][1])
    for protocol, name in _TABLES:
        for line in (files.maybe(name) or "").splitlines()[1:]:
            parts = line.split()
            if len(parts) < 10 or parts[3] != (_LISTEN if protocol == "tcp" else _UNCONNECTED):
                continue
            address, port = _address(parts[1])
            if port == 0:
                continue
            owner = owners.get(parts[9], {})
            row = {"protocol": protocol, "address": address, "port": port, **owner}
            rows.setdefault((protocol, address, port), row)
    bounds = (files.maybe("/proc/sys/net/ipv4/ip_local_port_range") or "").split()
    dynamic = (
        [int(one) for one in bounds] if len(bounds) == 2 and all(one.isdigit() for one in bounds) else [32768, 60999]
    )
    return {"sockets": [rows[key] for key in sorted(rows)], "dynamic": dynamic}


def _address(text: str) -> tuple[str, int]:
    """``0100007F:1F90`` -> ``127.0.0.1``, 8080. The kernel writes addresses as words in the machine's own order."""
    raw, _colon, port = text.partition(":")
    words = [int(raw[place : place + 8], 16) for place in range(0, len(raw), 8)]
    packed = b"".join(struct.pack("<I" if sys.byteorder == "little" else ">I", word) for word in words)
    found = ipaddress.ip_address(packed)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found), int(port, 16)


def is_loopback(address: Any) -> bool:
    """Whether nobody outside the host reaches this address."""
    try:
        return ipaddress.ip_address(str(address)).is_loopback
    except ValueError:
        return False
