# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered checks of certificates.

A source (an endpoint, a file, a TLS Secret, a kubeconfig) that cannot be read is one finding, and its certificate is
then judged by no other check. The others ask one thing each, so that an expired certificate for the wrong name is two
findings: renewing it would mend only one of them.
"""

from __future__ import annotations

from .._core.check import BELOW, Check

_ITEMS = ("morning.certificates",)
_DATES = "daily:morning-start-of-business-day"
_MANAGEMENT = "operations:certificate-management"

REACHABLE = "certificate.reachable"
FILE = "certificate.file"
EXPIRY = "certificate.expiry"
NOT_YET_VALID = "certificate.not_yet_valid"
HOSTNAME = "certificate.hostname"
CHAIN = "certificate.chain"
TRUST = "certificate.trust"
KEY = "certificate.key"
SIGNATURE = "certificate.signature"
DRIFT = "certificate.drift"

CHECKS: tuple[Check, ...] = (
    Check(
        id=REACHABLE,
        question="Does the endpoint answer, and does it show a certificate?",
        runbook=_MANAGEMENT,
        items=_ITEMS,
        source="getaddrinfo, TCP connect, STARTTLS where it is asked for, TLS handshake without verification",
        remedy="openssl s_client -connect HOST:PORT -servername NAME, from the same machine",
        rank=23,
    ),
    Check(
        id=FILE,
        question="Can the file, the Secret or the kubeconfig be read, and does it hold a certificate?",
        runbook=_MANAGEMENT,
        items=_ITEMS,
        source="the file in PEM or DER; tls.crt of the Secret; certificate data of the kubeconfig",
        remedy="openssl x509 -noout -dates -in FILE, as the user who looks",
        rank=30,
    ),
    Check(
        id=EXPIRY,
        question="For how many days is the certificate still valid, and the intermediates that it hangs on?",
        runbook=_DATES,
        items=_ITEMS,
        source="earliest notAfter of the certificate and of its chain without the root, against the clock of the look",
        remedy="renew it: kubectl get certificates -A, cert-manager renew {name}; then reload what serves it",
        unit="days",
        target=30,
        alert=7,
        direction=BELOW,
        rank=21,
    ),
    Check(
        id=NOT_YET_VALID,
        question="Has the validity of the certificate begun?",
        runbook=_MANAGEMENT,
        items=_ITEMS,
        source="notBefore of the certificate and of its chain, against the clock of the look",
        remedy="compare the clocks (timedatectl) here and where it was made; else it was installed too early",
        rank=21,
    ),
    Check(
        id=HOSTNAME,
        question="Is the certificate made out to the name that clients ask for?",
        runbook=_MANAGEMENT,
        items=_ITEMS,
        source="subjectAltName against server_name, else the host of the endpoint (RFC 9525)",
        remedy="the server picked another certificate (SNI), or it lacks this name: issue one that has it",
        rank=21,
    ),
    Check(
        id=CHAIN,
        question="Does the server send the whole chain, in order, and nothing else?",
        runbook=_MANAGEMENT,
        items=_ITEMS,
        source="the certificates as they were sent: who signed whom",
        remedy="put the certificate first, then each intermediate after the one that it signed (fullchain.pem)",
        rank=21,
    ),
    Check(
        id=TRUST,
        question="Does the certificate lead to an authority that is trusted here?",
        runbook=_MANAGEMENT,
        items=_ITEMS,
        source="signatures, basic constraints, key usage and name constraints up to an authority of ca_path",
        remedy="openssl verify -CAfile CA -untrusted CHAIN CERT; issue it by the right authority, or correct ca_path",
        rank=21,
    ),
    Check(
        id=KEY,
        question="Is the key long enough?",
        runbook=_MANAGEMENT,
        items=_ITEMS,
        source="size of the public keys; of elliptic curves the length of RSA that is as strong (NIST SP 800-57)",
        remedy="issue it anew with a key of RSA 2048, better of P-256",
        unit="bits of RSA",
        target=2048,
        alert=1536,
        direction=BELOW,
        rank=21,
    ),
    Check(
        id=SIGNATURE,
        question="Is the certificate signed with a hash that can still be relied on?",
        runbook=_MANAGEMENT,
        items=_ITEMS,
        source="signature algorithm of the certificate and of its chain; that of a root does not matter",
        remedy="issue it anew with SHA-256",
        rank=21,
    ),
    Check(
        id=DRIFT,
        question="Is the certificate that is served the one in the Secret or file that it should come from?",
        runbook=_MANAGEMENT,
        items=_ITEMS,
        source="SHA-256 of the served certificate and of the first one in the Secret or file",
        remedy="when it was renewed, what serves it still has the old one loaded: reload it",
        severity="warning",
        rank=40,
    ),
)
