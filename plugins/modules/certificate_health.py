#!/usr/bin/python
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thin: options, documentation, wiring. The work is done in module_utils/_tls."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_health
short_description: Look at any number of TLS endpoints, certificate files, TLS Secrets and kubeconfigs at once
version_added: 0.1.0
description:
  - Asks all sources side by side from one process, and judges what it gets to see; expiry and beginning, name, order
    and completeness of the chain, trust, strength of key and signature, and whether a server serves what it should.
  - The handshake verifies nothing, so that what is wrong with a certificate can be seen and said; each fault has a
    check of its own. Nobody logs in, and nothing is sent but the words of STARTTLS.
  - What matters of a chain is the certificate and the intermediates that it hangs on. The root is the client's own; a
    server that sends it, too, does no harm.
  - A source that refuses is one critical finding; one from which nothing comes back is C(unknown). None of the other
    checks says anything about it.
  - Private keys are not read. Of a Secret only C(tls.crt) is used, of a kubeconfig only its certificates; what comes
    with them is dropped at once, and never recorded.
extends_documentation_fragment:
  - nexuscos.ops.observe
options:
  sources:
    description:
      - Where the certificates are. Needed unless O(replay_from) is set, where the recorded ones are judged.
      - Each is an endpoint (O(sources[].url) or O(sources[].host)), a file, a Secret or a kubeconfig. An endpoint with
        O(sources[].file) or O(sources[].secret) is compared with what is in there.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name in findings, unique in the list, without C(/).
        type: str
        required: true
      url:
        description:
          - Where to connect to. C(https), C(tls), C(smtps), C(imaps), C(pop3s), C(ldaps) begin with TLS; C(smtp),
            C(imap), C(pop3), C(ldap), C(postgres) begin in plain text and ask for it.
          - The port is that of the scheme where the URL has none. A path is not looked at.
        type: str
      host:
        description: Name or address to connect to, instead of O(sources[].url).
        type: str
      port:
        description: Port of O(sources[].host), 443 or that of O(sources[].starttls) where it is left out.
        type: int
      starttls:
        description: How to ask for TLS on a connection that begins in plain text.
        type: str
        choices: [smtp, imap, pop3, ldap, postgres]
      server_name:
        description:
          - Name for SNI, and the one that the certificate must have, where it is not the host.
          - For a file or Secret the certificate is held against a name only where one is given here.
        type: str
      connect_to:
        description:
          - Address, or address and port (V(198.51.100.7), V(198.51.100.7:8443), V([2001:db8::7]:443)), to connect to
            instead of the host. SNI and the wanted name stay.
          - So a public name can be tested at the address of one edge, whatever the DNS says.
        type: str
      file:
        description:
          - File with a certificate and its chain in PEM, or with one certificate in DER.
          - A file of authorities alone is judged as what it is, the dates, keys and signatures of each.
          - With an endpoint this is what it should serve.
        type: path
      secret:
        description:
          - TLS Secret of a Kubernetes cluster. With an endpoint this is what it should serve.
          - Needs the right to get this Secret, or to list the Secrets of the namespace where no name is given. The role
            for it is not part of that of M(nexuscos.ops.k8s_health); see the file C(nexuscos-ops-tls-secrets.yml) among
            the files of the playbooks.
        type: dict
        suboptions:
          namespace:
            description: Its namespace.
            type: str
            required: true
          name:
            description: Its name. Left out, every Secret of the type C(kubernetes.io/tls) in the namespace is judged.
            type: str
          kubeconfig:
            description: Kubeconfig of the cluster, instead of the module's O(kubeconfig).
            type: path
          context:
            description: Context of the kubeconfig, instead of the module's O(context).
            type: str
      kubeconfig:
        description:
          - A kubeconfig whose client certificates and authorities are to be judged, those in the file and those in
            files that it names. Who logs in with a token is passed over.
        type: path
      ca_path:
        description:
          - File or folder with the authorities to trust for this source, instead of the module's O(ca_path).
        type: path
      trust:
        description:
          - Whether the certificate must lead to a trusted authority. V(false) is for one that is signed by itself on
            purpose.
        type: bool
        default: true
      timeout:
        description: Seconds for this source, instead of the module's O(timeout).
        type: float
      service:
        description:
          - Name of the service of the catalogue that uses this certificate. It links findings with their causes.
        type: str
  timeout:
    description:
      - Seconds for one endpoint, from the name to the end of the handshake.
    type: float
    default: 5.0
  ca_path:
    description:
      - File or folder with the authorities to trust, in PEM. Endpoints are held against the system's authorities when
        it is not set; files and Secrets then against none, since many are private.
    type: path
  kubeconfig:
    description:
      - Kubeconfig for the Secrets that name none. Without it E(KUBECONFIG) is used, then C(~/.kube/config), then the
        service account of the pod that the module runs in.
    type: path
  context:
    description:
      - Context of O(kubeconfig), its current context where this is left out.
    type: str
  deadline:
    description:
      - Seconds that the whole look may take. What was not seen by then is reported as not seen, never as healthy.
    type: float
    default: 30.0
requirements:
  - cryptography >= 42
  - urllib3 >= 1.26 and PyYAML, for Secrets; PyYAML for kubeconfigs
attributes:
  platform:
    description: Where it runs.
    platforms: posix
    support: full
notes:
  - Python shows the chain that a server sends from 3.10 on. On an older one C(certificate.chain) is reported as not
    seen, and so is C(certificate.trust) where the certificate itself does not lead to an authority.
  - Revocation is not asked about.
author:
  - Nexus COS operations (@nexuscos)
seealso:
  - module: nexuscos.ops.endpoint_health
  - module: community.crypto.x509_certificate_info
"""

EXAMPLES = r"""
- name: The public names at one edge, and a mail and a database server that begin in plain text
  nexuscos.ops.certificate_health:
    target: public-certificates
    sources:
      - {name: site, url: 'https://nexuscos.example.com', service: backend-api}
      - {name: api-edge-2, url: 'https://api.nexuscos.example.com', connect_to: 198.51.100.62}
      - {name: mail, url: 'smtp://mail.nexuscos.example.com:587'}
      - {name: db1, host: db1.nexuscos.example.com, starttls: postgres, ca_path: /etc/nexuscos/ca.pem}

- name: What the edge serves against the Secret that it should come from, and all other TLS Secrets there
  nexuscos.ops.certificate_health:
    target: platform-certificates
    kubeconfig: ~/.kube/config
    context: us-east-1
    sources:
      - name: api
        url: https://api.nexuscos.example.com
        secret: {namespace: nexus-platform, name: api.nexuscos.example.com-tls}
      - name: nexus-media
        secret: {namespace: nexus-media}

- name: Files and a kubeconfig, with two months of warning for those
  nexuscos.ops.certificate_health:
    target: admin
    sources:
      - {name: haproxy, file: /etc/haproxy/certs/site.pem, server_name: nexuscos.example.com}
      - {name: kubeconfig, kubeconfig: ~/.kube/config}
    thresholds:
      certificate.expiry: {target: 60, alert: 14}

- name: Judge what another run has recorded
  nexuscos.ops.certificate_health:
    target: public-certificates
    replay_from: bundle/public-certificates.json.gz
"""

RETURN = r"""
findings:
  description:
    - What is not as it should be, worst first. An empty list when all is well, and no check was left out.
    - With O(include_ok) the healthy ones follow.
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description: Id of the check.
      type: str
      returned: success
      sample: certificate.expiry
    object:
      description:
        - O(target) and the name of the source; behind them the name of the Secret, or C(users/NAME) or
          C(clusters/NAME), where a source holds several.
      type: str
      returned: success
      sample: public-certificates/status
    status:
      description: V(warning), V(critical) or V(unknown), with O(include_ok) also V(ok).
      type: str
      returned: success
      sample: critical
    title:
      description: One sentence.
      type: str
      returned: success
      sample: status expires in 5.9 days (2026-11-28)
    value:
      description: What was measured, null where there is no number.
      type: float
      returned: success
    unit:
      description: Unit of RV(findings[].value).
      type: str
      returned: success
      sample: days
    target:
      description: What good is.
      type: float
      returned: success
      sample: 30
    alert:
      description: What is not acceptable.
      type: float
      returned: success
      sample: 7
    evidence:
      description:
        - Where it was seen, subject, issuer, names, dates, serial number and SHA-256 of the certificate, and what the
          check is about; redacted.
      type: dict
      returned: success
      sample:
        where: status.nexuscos.example.com:443
        address: 198.18.0.61:443
        subject: CN=status.nexuscos.example.com
        issuer: CN=Nexus COS lab CA
        names: [status.nexuscos.example.com]
        not_before: '2026-08-30T08:00:00Z'
        not_after: '2026-11-28T08:00:00Z'
    remedy:
      description: The next step.
      type: str
      returned: success
    runbook:
      description: File and heading of the runbook line.
      type: str
      returned: success
      sample: operations:certificate-management
    fingerprint:
      description: SHA-256 of check and object, the same today and tomorrow.
      type: str
      returned: success
    caused_by:
      description: Fingerprint of the finding that explains this one, null here; the report finds causes.
      type: str
      returned: success
    recorded_at:
      description: As RV(recorded_at).
      type: str
      returned: success
summary:
  description: Number of objects by status, and the worst status.
  returned: success
  type: dict
  contains:
    ok:
      description: Healthy objects, counted over all checks.
      type: int
      returned: success
    warning:
      description: Findings with this status.
      type: int
      returned: success
    critical:
      description: Findings with this status.
      type: int
      returned: success
    unknown:
      description: Findings with this status.
      type: int
      returned: success
    total:
      description: All of them.
      type: int
      returned: success
    worst:
      description: The worst status, V(unknown) also where a check was not seen.
      type: str
      returned: success
  sample: {ok: 71, warning: 1, critical: 0, unknown: 0, total: 72, worst: warning}
coverage:
  description: One row a check, so that nothing is silently left out.
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description: Id of the check.
      type: str
      returned: success
    objects:
      description: Number of certificates that were judged by it.
      type: int
      returned: success
    status:
      description: The worst status among them.
      type: str
      returned: success
    seen:
      description: Whether the check could be answered.
      type: bool
      returned: success
    reason:
      description: Why it could not, else null.
      type: str
      returned: success
facts:
  description: Headline numbers, and the table of all certificates.
  returned: success
  type: dict
  contains:
    certificates_ok:
      description: Certificates without a finding.
      type: int
      returned: success
    certificates_total:
      description: Certificates that were to be seen.
      type: int
      returned: success
    endpoints_reached:
      description: Endpoints that showed a certificate.
      type: int
      returned: success
    endpoints_total:
      description: Endpoints that were to be asked.
      type: int
      returned: success
    days_to_expiry:
      description: Days until the first of all certificates expires, null where none was seen.
      type: float
      returned: success
    nearest:
      description: Name and days of that one, null where none was seen.
      type: dict
      returned: success
    certificates:
      description: A row for each certificate, that which expires first before the others.
      type: list
      elements: dict
      returned: success
      contains:
        name:
          description: Name of the source, with the part of it where there are several.
          type: str
          returned: success
        subject:
          description: Subject.
          type: str
          returned: success
        issuer:
          description: Issuer.
          type: str
          returned: success
        not_after:
          description: End of its validity (ISO 8601, UTC).
          type: str
          returned: success
        days_left:
          description: Days until then, negative when it is over.
          type: float
          returned: success
recorded_at:
  description: When the judged recording was made (ISO 8601, UTC), null for a live look.
  returned: success
  type: str
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.nexuscos.ops.plugins.module_utils._catalogue import BY_ID
from ansible_collections.nexuscos.ops.plugins.module_utils._core.argspec import ArgSpec, observe_spec
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._core.observe import observe
from ansible_collections.nexuscos.ops.plugins.module_utils._tls.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._tls.collect import collect
from ansible_collections.nexuscos.ops.plugins.module_utils._tls.evaluate import evaluate
from ansible_collections.nexuscos.ops.plugins.module_utils._tls.spec import STARTTLS, parse

NAME = "certificate_health"

_SECRET = {
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str"},
    "kubeconfig": {"type": "path"},
    "context": {"type": "str"},
}

_SOURCE = {
    "name": {"type": "str", "required": True},
    "url": {"type": "str"},
    "host": {"type": "str"},
    "port": {"type": "int"},
    "starttls": {"type": "str", "choices": list(STARTTLS)},
    "server_name": {"type": "str"},
    "connect_to": {"type": "str"},
    "file": {"type": "path"},
    # Where a Secret is; nothing in it is secret.
    "secret": {"type": "dict", "options": _SECRET, "no_log": False},
    "kubeconfig": {"type": "path"},
    "ca_path": {"type": "path"},
    "trust": {"type": "bool", "default": True},
    "timeout": {"type": "float"},
    "service": {"type": "str"},
}


def spec() -> ArgSpec:
    """All options."""
    return observe_spec(deadline=30.0).merge(
        ArgSpec(
            {
                "sources": {"type": "list", "elements": "dict", "options": _SOURCE},
                "timeout": {"type": "float", "default": 5.0},
                "ca_path": {"type": "path"},
                "kubeconfig": {"type": "path"},
                "context": {"type": "str"},
            },
            required_one_of=[("sources", "replay_from")],
        )
    )


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    """Look and judge."""
    if not params["sources"] and not params["replay_from"]:
        raise OptionError("sources: the list is empty, there is nothing to look at")
    sources = [] if params["replay_from"] else parse(params["sources"], params)
    return observe(NAME, params, CHECKS, BY_ID, lambda: collect(sources, params["deadline"]), evaluate)


def main() -> None:
    """Wire options, look and judgement together."""
    module = AnsibleModule(supports_check_mode=True, **spec().to_kwargs())
    try:
        result = run(module.params)
    except OptionError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
