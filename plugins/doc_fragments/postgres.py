# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module reaches a PostgreSQL server (`module_utils/_postgres/options.py`)."""

from __future__ import annotations


class ModuleDocFragment:
    """The connection options of all modules that talk to PostgreSQL."""

    DOCUMENTATION = r"""
options:
  login_host:
    description:
      - Name or address of the server, or the folder of its Unix socket.
    type: str
  login_port:
    description:
      - Port of the server.
    type: int
    default: 5432
  login_user:
    description:
      - Role to log in as. Left out, libpq decides (E(PGUSER), then the name of the system's user).
    type: str
  login_password:
    description:
      - Password of the role. Left out, libpq looks into E(PGPASSWORD) and the password file.
    type: str
  login_db:
    description:
      - Database to log in to.
    type: str
    default: postgres
  ssl_mode:
    description:
      - How much TLS is asked for, as libpq's C(sslmode). Only V(verify-ca) and V(verify-full) tell the right server
        from another one.
      - Left out, it is V(verify-full) with O(ca_cert), and V(prefer) without.
    type: str
    choices: [disable, allow, prefer, require, verify-ca, verify-full]
  ca_cert:
    description:
      - File with the certificate authorities that the server's certificate is checked against.
    type: path
  ssl_cert:
    description:
      - File with our certificate, where the server asks for one.
    type: path
  ssl_key:
    description:
      - File with the key of O(ssl_cert).
    type: path
  connect_timeout:
    description:
      - Whole seconds that connecting and logging in may take. libpq waits two at least.
    type: int
    default: 5
"""
