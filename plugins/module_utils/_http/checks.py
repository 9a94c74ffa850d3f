# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered checks of endpoints.

Each stage of a request has one check, and an endpoint is reported by the first stage that fails: no connection, no TLS,
no sensible answer, a wrong redirect, status or content. One that answers is also judged by its latency, and
by whether it does so every time.

All of them answer two items of the morning list, because the same module looks at the services (host `services-…`) and
at the public names with the dashboards behind them (`public`): the object of a finding says which one it is.
"""

from __future__ import annotations

from .._core.check import Check

_ITEMS = ("morning.services", "morning.dashboard")
_HEALTH = "daily:system-health-verification"
_DOWN = "operations:service-down"

REACHABLE = "endpoint.reachable"
TLS = "endpoint.tls"
ANSWER = "endpoint.answer"
REDIRECT = "endpoint.redirect"
STATUS = "endpoint.status"
CONTENT = "endpoint.content"
STEADY = "endpoint.steady"
LATENCY = "endpoint.latency"

CHECKS: tuple[Check, ...] = (
    Check(
        id=REACHABLE,
        question="Does the endpoint's name resolve, and does something there accept a connection and answer?",
        runbook=_DOWN,
        items=_ITEMS,
        source="getaddrinfo, TCP connect, first byte of the answer; after time-out, refusal, reset or no route",
        remedy="look at what should listen there: kubectl get pods,endpointslices -A | grep {name}",
        rank=20,
    ),
    Check(
        id=TLS,
        question="Does the TLS handshake succeed, with a certificate that is valid, trusted and made out to this name?",
        runbook="operations:certificate-management",
        items=_ITEMS,
        source="TLS handshake with SNI; verification result of OpenSSL",
        remedy="openssl s_client -connect HOST:PORT -servername NAME",
        rank=22,
    ),
    Check(
        id=ANSWER,
        question="Is the answer complete and correct HTTP?",
        runbook=_HEALTH,
        items=_ITEMS,
        source="status line, headers, Content-Length or chunks against the bytes that came",
        remedy="curl -v the URL and compare; look at the log of the server and of the proxy before it",
        rank=24,
    ),
    Check(
        id=REDIRECT,
        question="Do redirects end where they should: on the same host, without a loop, never from https to http?",
        runbook=_HEALTH,
        items=_ITEMS,
        source="Location headers, hop by hop",
        remedy="curl -sIL the URL; correct the server's redirect, or set follow_redirects for this endpoint",
        rank=28,
    ),
    Check(
        id=STATUS,
        question="Is the HTTP status the expected one?",
        runbook=_HEALTH,
        items=_ITEMS,
        source="HTTP status; failing checks out of the health document",
        remedy="kubectl get pods -A | grep {name}; then the logs of the service and of the dependency it names",
        rank=40,
    ),
    Check(
        id=CONTENT,
        question="Does the answer say what it should: JSON fields and text?",
        runbook=_HEALTH,
        items=_ITEMS,
        source="body of the answer against the endpoint's json and text assertions",
        remedy="curl -s the URL and compare with the assertions in the inventory (nexuscos_endpoints)",
        rank=42,
    ),
    Check(
        id=STEADY,
        question="Is every request answered alike, or does a share of them fail?",
        runbook="operations:high-error-rate",
        items=_ITEMS,
        source="share of failed requests among the samples, each on a connection of its own",
        remedy="one replica or one address behind the name is probably ill: kubectl get pods -A -o wide | grep {name}",
        unit="% of requests",
        target=0,
        alert=50,
        rank=44,
    ),
    Check(
        id=LATENCY,
        question="Is the 95th percentile of the response time within its target?",
        runbook="operations:high-latency",
        items=_ITEMS,
        source="whole requests, each on a connection of its own: DNS, connect, TLS, first byte, body; without the time"
        " that the machine that looks had no CPU for it",
        remedy="kubectl top pods -A | grep {name}; then its database queries and the services it calls",
        unit="ms",
        target=200,
        alert=500,
        rank=60,
    ),
)
