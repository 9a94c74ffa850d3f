# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module reaches a MongoDB server (`module_utils/_mongodb/options.py`)."""

from __future__ import annotations


class ModuleDocFragment:
    """The connection options of all modules that talk to MongoDB."""

    DOCUMENTATION = r"""
options:
  login_host:
    description:
      - Name or address of the server. One server is looked at, whatever set it is in.
    type: str
  login_port:
    description:
      - Port of the server.
    type: int
    default: 27017
  login_user:
    description:
      - User to log in as. Left out, nobody logs in.
    type: str
  login_password:
    description:
      - Password of O(login_user).
    type: str
  login_database:
    description:
      - Database that knows the user (C(authSource)).
    type: str
    default: admin
  auth_mechanism:
    description:
      - How to log in. Left out, server and library agree on it.
      - V(MONGODB-X509) logs in with O(client_cert).
    type: str
    choices: [SCRAM-SHA-1, SCRAM-SHA-256, MONGODB-X509, PLAIN]
  tls:
    description:
      - Whether to use TLS. Left out, it is used with O(ca_cert) or O(client_cert).
    type: bool
  ca_cert:
    description:
      - File with the certificate authorities that the server's certificate is checked against.
        The system's authorities when it is not set.
    type: path
  client_cert:
    description:
      - File with our certificate and its key, in PEM, where the server asks for one.
    type: path
  validate_certs:
    description:
      - Whether the server's certificate must be valid, trusted and made out to its name.
    type: bool
    default: true
  connect_timeout:
    description:
      - Seconds that connecting may take.
    type: float
    default: 5.0
requirements:
  - pymongo >= 4.6
"""
