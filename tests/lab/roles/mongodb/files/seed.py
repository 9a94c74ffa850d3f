# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: seed.py URI: documents of the platform, made when the collections are empty. Prints what it made."""

from __future__ import annotations

import datetime
import sys

import pymongo

client: pymongo.MongoClient = pymongo.MongoClient(sys.argv[1], serverSelectionTimeoutMS=15000)
database = client["nexus"]
now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
wanted = {
    "profiles": [
        {"user_id": n, "handle": "user%d" % n, "interests": ["music", "film", "games"][: 1 + n % 3], "created_at": now}
        for n in range(1, 2001)
    ],
    "lookups": [{"service": "service-%d" % n, "value": n} for n in range(1, 44)],
    "assets": [
        {"name": "asset-%d" % n, "kind": ["image", "model", "track"][n % 3], "bytes": n * 1024} for n in range(1, 501)
    ],
}
for name, documents in wanted.items():
    if database[name].find_one() is None:
        database[name].insert_many(documents)
        print(name)
client.close()
