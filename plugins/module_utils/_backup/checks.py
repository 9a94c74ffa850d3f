# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered checks of backups. Each default line has its reason beside it."""

from __future__ import annotations

from .._core.check import BELOW, Check

_DAILY = "daily:daily-backup-check"
_ITEMS = ("morning.backups",)

CHECKS: tuple[Check, ...] = (
    Check(
        id="backup.place",
        question="Can the folder of the backups be read?",
        runbook=_DAILY,
        items=_ITEMS,
        source="a listing of the folder, on the host that keeps it",
        remedy="on {target}: is the disk mounted, and may the account read it? findmnt; ls -ld",
        rank=5,
    ),
    Check(
        id="backup.exists",
        question="Is there a backup of every system?",
        runbook=_DAILY,
        items=_ITEMS,
        source="files that the patterns of the system match",
        remedy="on {target}: systemctl status nexus-cos-backup.timer; then make one now",
        rank=10,
    ),
    Check(
        id="backup.age",
        question="Is the newest backup as young as its schedule promises?",
        runbook=_DAILY,
        items=_ITEMS,
        source="date in the name of the newest set (else its modification time), against `every`",
        remedy="on {target}: journalctl -u nexus-cos-backup.service --since today; then make one now",
        unit="intervals",
        # A run takes its time, and may start late; after two intervals one run is missing for sure.
        target=1.25,
        alert=2,
        rank=20,
    ),
    Check(
        id="backup.archive_age",
        question="Is what a server writes archived soon, and does the archive of its WAL lead on from the newest set?",
        runbook=_DAILY,
        items=_ITEMS,
        source="WAL files in the repository of pgBackRest, from the newest set on; pg_stat_archiver, where the server "
        "is on that host",
        remedy="pgbackrest --stanza=… check; SELECT * FROM pg_stat_archiver; where WAL is missing, make a backup now",
        unit="minutes",
        # archive_timeout is five minutes where docs/backup.md was followed: three of them, and a wide berth.
        target=15,
        alert=60,
        rank=21,
    ),
    Check(
        id="backup.future",
        question="Is no backup from the future?",
        runbook=_DAILY,
        items=_ITEMS,
        source="date in the name and modification time, against the clock of the host",
        remedy="on {target}: timedatectl; a clock that was wrong makes retention delete the wrong sets",
        rank=12,
    ),
    Check(
        id="backup.size",
        question="Is the newest backup about as large as those before it?",
        runbook=_DAILY,
        items=_ITEMS,
        source="bytes of the newest set, of the median of up to seven sets before it",
        remedy="on {target}: compare what is in it with the set before: pg_restore --list, tar -t",
        unit="% of the usual",
        # Databases shrink rarely, and seldom by a third; less than half is a missing table, or a run that broke off.
        target=70,
        alert=50,
        direction=BELOW,
        rank=30,
    ),
    Check(
        id="backup.manifest",
        question="Does the newest backup have a checksum that was written with it?",
        runbook=_DAILY,
        items=_ITEMS,
        source="manifest.json, SHA256SUMS or <file>.sha256 beside it",
        remedy="let the backup write SHA256SUMS: without it nobody can tell a damaged file from a whole one",
        severity="warning",
        rank=35,
    ),
    Check(
        id="backup.set",
        question="Is the newest set what its manifest says: this system, this database, these files?",
        runbook=_DAILY,
        items=_ITEMS,
        source="manifest.json of the set, against its folder, the dump's own header and the set before it",
        remedy="on {target}: look who copied or removed files there; make a new backup now, and restore an earlier set",
        rank=13,
    ),
    Check(
        id="backup.proof",
        question="Has a set of every system been restored lately, and was it right?",
        runbook=_DAILY,
        items=_ITEMS,
        source="verifications that are filed in the manifests, of the system's `level` or higher",
        remedy="ansible-playbook nexuscos.ops.weekly_restore_test; journalctl of its timer says why there was none",
        unit="days",
        # The restore test is weekly, and may be a day late; after two weeks one is missing for sure.
        target=8,
        alert=15,
        rank=32,
    ),
    Check(
        id="backup.checksum",
        question="Is the newest backup the one that was written, byte by byte?",
        runbook=_DAILY,
        items=_ITEMS,
        source="SHA-256 of the whole file, against the manifest",
        remedy="the file has changed since it was written: take another set, make a new one now, and check the disk",
        rank=14,
    ),
    Check(
        id="backup.readable",
        question="Can the newest backup be read to its last byte?",
        runbook=_DAILY,
        items=_ITEMS,
        source="pg_restore, redis-check-rdb, or a reader of the format: every block is unpacked",
        remedy="it cannot be restored: make a new one now; the last one that could be read is in the evidence",
        rank=13,
    ),
    Check(
        id="backup.renamed",
        question="Is the newest backup what its name says?",
        runbook=_DAILY,
        items=_ITEMS,
        source="time inside the dump against the date in its name; checksums of earlier sets",
        remedy="somebody copied an older set under a new name: make a new one now, and look at the job that makes "
        "them; of files that may well stay the same say unchanging",
        rank=15,
    ),
    Check(
        id="backup.copies",
        question="Are there as many copies of every system as wanted, and is one that is off-site young enough?",
        runbook=_DAILY,
        items=_ITEMS,
        source="copies that are noted in the manifests, or repositories of pgBackRest; where `copies` or `offsite` is "
        "wanted, or there ever was one off-site",
        remedy="ansible-playbook nexuscos.ops.backup copies the newest sets; it says why it cannot",
        unit="intervals",
        # A copy follows each set at once; after two intervals one is missing for sure.
        target=2,
        alert=4,
        rank=34,
    ),
    Check(
        id="backup.latest",
        question="Does `latest` lead to the newest set of every system?",
        runbook=_DAILY,
        items=_ITEMS,
        source="`latest` in the folder of the backups: a link, or a folder with a link for each system",
        remedy="on {target}: ls -l latest, and let it lead to the newest set that is whole; a new backup does that",
        severity="warning",
        rank=40,
    ),
    Check(
        id="backup.leftovers",
        question="Is no half backup left behind?",
        runbook=_DAILY,
        items=_ITEMS,
        source="names with .tmp, .part, .partial or .writing that nobody has written to for an hour",
        remedy="on {target}: a run broke off; find out why (journalctl), then remove what it left",
        severity="warning",
        rank=45,
    ),
    Check(
        id="backup.space",
        question="Is there room for the next backups?",
        runbook=_DAILY,
        items=_ITEMS,
        source="free bytes of the file system, by the bytes of the newest set of every system",
        remedy="on {target}: df -h; keep fewer old sets, or give it more room",
        unit="sets",
        # A set more must fit; with three of them there is time to do something about it.
        target=3,
        alert=1,
        direction=BELOW,
        rank=25,
    ),
    Check(
        id="backup.timer",
        question="Is the timer that makes the backups active, and did its last run succeed?",
        runbook=_DAILY,
        items=_ITEMS,
        source="systemctl show of the timer and of the service that it starts",
        remedy="on {target}: systemctl status {name}; journalctl -u the service, --since today",
        rank=18,
    ),
)
