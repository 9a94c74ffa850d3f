#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: mongodb_fill.py URI DATABASE MIB: a database with that many MiB in it, made anew; with 0 there is none."""

from __future__ import annotations

import sys

import pymongo


def main() -> None:
    """Drop it, and fill it."""
    uri, name, mib = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with pymongo.MongoClient(uri, serverSelectionTimeoutMS=5000, directConnection=True) as client:
        client.drop_database(name)
        for _one in range(mib):
            client[name]["filler"].insert_many([{"filler": "x" * 65536} for _document in range(16)])


if __name__ == "__main__":
    main()
