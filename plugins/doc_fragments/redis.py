# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module reaches a Redis server (`module_utils/_redis/options.py`)."""

from __future__ import annotations


class ModuleDocFragment:
    """The connection options of all modules that talk to Redis."""

    DOCUMENTATION = r"""
options:
  login_host:
    description:
      - Name or address of the server.
    type: str
  login_port:
    description:
      - Port of the server.
    type: int
    default: 6379
  login_user:
    description:
      - User (of the server's ACL) to log in as. Left out, O(login_password) is that of the default user.
    type: str
  login_password:
    description:
      - Password of the user. Left out, nobody logs in.
    type: str
  tls:
    description:
      - Whether the connection, and those to Sentinels, are encrypted.
    type: bool
    default: false
  validate_certs:
    description:
      - Whether the server's certificate and the name in it are verified, with O(tls).
    type: bool
    default: true
  ca_cert:
    description:
      - File with the certificate authorities that the server's certificate is checked against. Left out, those of the
        system.
    type: path
  client_cert:
    description:
      - File with our certificate, where the server asks for one (C(tls-auth-clients)).
      - Mutually required with O(client_key).
    type: path
  client_key:
    description:
      - File with the key of O(client_cert).
    type: path
  connect_timeout:
    description:
      - Seconds that connecting, and each answer, may take.
    type: float
    default: 3.0
"""
