# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered checks of Elasticsearch and Kibana. Each default line has its reason beside it."""

from __future__ import annotations

from .._core.check import Check

_DASHBOARDS = "daily:accessing-dashboards"
_LOGS = "daily:log-analysis"
_METRICS = "daily:key-metrics-to-watch"
_DASHBOARD = ("morning.dashboard",)
_ITEM_LOGS = ("morning.logs",)
_UTILIZATION = ("morning.utilization",)

CHECKS: tuple[Check, ...] = (
    Check(
        id="elasticsearch.reachable",
        question="Does Elasticsearch answer?",
        runbook=_LOGS,
        items=_DASHBOARD,
        source="GET /",
        remedy="where it runs: systemctl status elasticsearch; journalctl -u elasticsearch --since -1h; its log",
        rank=5,
    ),
    Check(
        id="elasticsearch.access",
        question="May our account look?",
        runbook=_LOGS,
        items=_DASHBOARD,
        source="GET /, GET /_cluster/health, the searches",
        remedy="an API key with monitor on the cluster, read and view_index_metadata on the indices; is it expired?",
        severity="unknown",
        rank=6,
    ),
    Check(
        id="elasticsearch.cluster",
        question="Are all shards where they belong?",
        runbook=_LOGS,
        items=_DASHBOARD,
        source="GET /_cluster/health: status, unassigned_shards",
        remedy="GET /_cluster/allocation/explain names the shard and why nobody takes it",
        rank=10,
    ),
    Check(
        id="elasticsearch.ingestion",
        question="How old is the newest document?",
        runbook=_LOGS,
        items=_ITEM_LOGS,
        source="a search in each index pattern, newest first, size 1, nothing from the future",
        remedy="look at who ships there (Filebeat, Logstash, an agent): its log, its queue, its credentials",
        unit="s",
        # Shippers send within seconds. Five minutes without a line is odd, a quarter of an hour is a hole in the logs.
        target=300,
        alert=900,
        rank=40,
    ),
    Check(
        id="elasticsearch.read_only",
        question="Does an index refuse to be written because the disk ran full?",
        runbook=_LOGS,
        items=_ITEM_LOGS,
        source="index.blocks.read_only_allow_delete of each index",
        remedy="free space, then PUT /<index>/_settings with index.blocks.read_only_allow_delete: null where it stays",
        rank=20,
    ),
    Check(
        id="elasticsearch.disk",
        question="How full is the disk of each data node?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="GET /_nodes/stats/fs: total_in_bytes, available_in_bytes",
        remedy="delete or roll over old indices (ILM), add a node; at 95 % Elasticsearch makes indices read-only",
        unit="%",
        # Elasticsearch's own watermarks: no more shards from 85 %, shards move away from 90 %, read-only from 95 %.
        target=85,
        alert=90,
        rank=15,
    ),
    Check(
        id="elasticsearch.heap",
        question="How full is the heap of each node?",
        runbook=_METRICS,
        items=_UTILIZATION,
        source="GET /_nodes/stats/jvm: mem.heap_used_percent",
        remedy="fewer shards, smaller aggregations, or more heap (half of the memory, 31 GiB at most)",
        unit="%",
        # The collector keeps a healthy heap below 75 %; at 95 % the parent circuit breaker refuses requests.
        target=85,
        alert=95,
        rank=30,
    ),
    Check(
        id="elasticsearch.rejections",
        question="Does a node refuse documents?",
        runbook=_LOGS,
        items=_ITEM_LOGS,
        source="GET /_nodes/stats/thread_pool: write.rejected, by the hour since the node was started",
        remedy="GET /_cat/thread_pool/write?v; fewer or larger bulk requests, more data nodes, or slower disks are why",
        unit="an hour",
        # Shippers try again, so that a few are no loss. One a second is.
        target=10,
        alert=3600,
        rank=35,
    ),
    Check(
        id="elasticsearch.kibana",
        question="Does Kibana answer, and call itself available?",
        runbook=_DASHBOARDS,
        items=_DASHBOARD,
        source="GET /api/status of Kibana: status.overall",
        remedy="where it runs: systemctl status kibana; journalctl -u kibana --since -1h; GET /api/status",
        rank=45,
    ),
)
