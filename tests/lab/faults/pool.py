#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take connections and keep them, as a pool that leaks does.

usage: pool.py HOST USER DATABASE COUNT, with the password in PGPASSWORD
"""

from __future__ import annotations

import sys
import time

import psycopg


def main() -> None:
    """Connect until there are COUNT of them or the server takes no more; then stay until somebody ends us."""
    host, user, database, count = sys.argv[1:5]
    kept = []
    while len(kept) < int(count):
        try:
            kept.append(psycopg.connect(host=host, user=user, dbname=database, application_name="fault-pool"))
        except psycopg.OperationalError as error:
            print(error, flush=True)
            break
    time.sleep(3600)


if __name__ == "__main__":
    main()
