# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a certificate made out to a name? As RFC 9525 has it: no common name, a star is one whole label."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable


def matches(wanted: str, names: Iterable[str], addresses: Iterable[str]) -> bool:
    """Whether one of the names or addresses of a certificate is the wanted one."""
    address = _address(wanted)
    if address is not None:
        return any(_address(one) == address for one in addresses)
    return any(_same(_ascii(wanted), _ascii(one)) for one in names)


def _same(wanted: str, name: str) -> bool:
    if not wanted or not name:
        return False
    if name == wanted:
        return True
    star, _dot, rest = name.partition(".")
    first, dot, domain = wanted.partition(".")
    # *.com is nobody's.
    return star == "*" and bool(first) and bool(dot) and "." in rest and rest == domain


def _ascii(name: str) -> str:
    name = name.rstrip(".").lower()
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
