# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module reaches a server with an HTTP API (`module_utils/_core/web.web_spec`)."""

from __future__ import annotations


class ModuleDocFragment:
    """The connection options of all modules that ask an HTTP API."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Base URL of the server, with the path that it is served under, if any. Needed unless O(replay_from) is set.
      - A user name or password in it is refused.
    type: str
  token:
    description:
      - Bearer token to log in with. Mutually exclusive with O(username).
    type: str
  username:
    description:
      - User to log in as, with basic authentication.
    type: str
  password:
    description:
      - Password of O(username).
    type: str
  ca_path:
    description:
      - File or folder with the authorities to trust, in PEM. The system's authorities when it is not set.
    type: path
  validate_certs:
    description:
      - Whether the server's certificate must be valid, trusted and made out to its name.
    type: bool
    default: true
  connect_to:
    description:
      - Address, or address and port, to connect to instead of the host of O(url). C(Host) header, SNI and verification
        stay those of O(url).
    type: str
  timeout:
    description:
      - Seconds for one request. O(deadline) holds for all of them together.
    type: float
    default: 5.0
"""
