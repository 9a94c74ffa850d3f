# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask all endpoints side by side; what comes back is what `evaluate` judges and recordings keep."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable
from urllib.parse import urljoin

from .._core.check import Check
from .._core.errors import OptionError
from .._core.threshold import Thresholds
from . import content
from .checks import LATENCY
from .clock import Watch
from .failure import Failure
from .resolve import Resolver
from .spec import Endpoint, split_url
from .tls import Contexts
from .wire import Exchange, send

MOST_THREADS = 256
GENTLE = 8
PACE_SECONDS = 0.01
"""Beyond so many endpoints at once each further one waits for another to finish, or so long: all at the same instant
would measure the load that they make themselves. One that hangs costs the others this pause, once."""
MOST_HOPS = 10
SAMPLING_SECONDS = 1.0
"""No further sample of an endpoint starts after this time: a slow endpoint is known to be slow after one."""
CONFIRM_SAMPLES = 20
"""A slow answer among the first samples is confirmed with so many: then one stray packet is not the 95th percentile."""

_REDIRECTS = (301, 302, 303, 307, 308)
_EXCERPT = 500
_USER_AGENT = "nexuscos-ops-endpoint-health"


def look(endpoints: Sequence[Endpoint], params: Mapping[str, Any], every: Mapping[str, Check]) -> dict[str, Any]:
    """:func:`collect` with the module's options: its deadline, and the latency targets of its thresholds."""
    thresholds = Thresholds.parse(params.get("thresholds"), every)

    def slow_ms(name: str) -> float | None:
        line = thresholds.get(LATENCY, "{}/{}".format(params["target"], name))
        return line.target if line.target is not None else line.alert

    return collect(endpoints, params["deadline"], slow_ms)


def collect(endpoints: Sequence[Endpoint], deadline: float, slow_ms: Callable[[str], float | None]) -> dict[str, Any]:
    """Ask every endpoint, each from a thread of its own, so that a hanging one holds nobody up.

    :param deadline: seconds for all of it; what has not answered by then is in the observation as unfinished.
    :param slow_ms: the latency target of an endpoint by its name: an answer past it is asked for more samples.
    :returns: ``{"deadline": …, "endpoints": [{**Endpoint.public(), "samples_taken": […], "finished": bool}]}``
    :raises OptionError: a certificate file is no such thing.
    """
    contexts, resolver = Contexts(), Resolver()
    for endpoint in endpoints:
        if endpoint.url.startswith("https:") or (
            endpoint.follow != "none" and (endpoint.ca_path or endpoint.client_cert)
        ):
            contexts.get(endpoint)
    # Threads end a little before the module does, so that they can still say how far they came.
    end = time.monotonic() + deadline - min(0.1, deadline / 10)
    taken: list[list[dict[str, Any]]] = [[] for _endpoint in endpoints]
    finished = [False] * len(endpoints)
    crashed: list[BaseException] = []
    asked = threading.Condition()
    under_way = 0

    def work(place: int) -> None:
        nonlocal under_way
        endpoint = endpoints[place]
        try:
            for sample in _samples(endpoint, end, resolver, contexts, slow_ms(endpoint.name)):
                with asked:
                    taken[place].append(sample)
            finished[place] = True
        except BaseException as error:  # noqa: BLE001  # raised again in the main thread
            crashed.append(error)
        with asked:
            under_way -= 1
            asked.notify_all()

    with asked:
        last = 0.0
        for place in range(len(endpoints)):
            now = time.monotonic()
            while now < end and not (under_way < GENTLE or (under_way < MOST_THREADS and now - last >= PACE_SECONDS)):
                asked.wait(PACE_SECONDS)
                now = time.monotonic()
            if now >= end or crashed:
                break
            under_way, last = under_way + 1, now
            threading.Thread(target=work, args=(place,), daemon=True).start()
        while under_way and not crashed and time.monotonic() < end + 0.05:
            asked.wait(max(end + 0.05 - time.monotonic(), 0.001))
        if crashed:
            raise crashed[0]
        return {
            "deadline": deadline,
            "endpoints": [
                {**endpoint.public(), "samples_taken": list(taken[place]), "finished": finished[place]}
                for place, endpoint in enumerate(endpoints)
            ],
        }


def _samples(
    endpoint: Endpoint, end: float, resolver: Resolver, contexts: Contexts, slow: float | None
) -> Iterator[dict[str, Any]]:
    """Take the samples of one endpoint, one after the other: side by side they would measure one another."""
    began = time.monotonic()
    own_end = began + endpoint.timeout
    wanted, count = endpoint.samples, 0
    while count < wanted:
        now = time.monotonic()
        if count and (now - began > SAMPLING_SECONDS or now >= min(own_end, end)):
            return
        sample = _sample(endpoint, min(own_end, end), resolver, contexts)
        count += 1
        error = sample["error"]
        late = error is not None and error["kind"] == "timeout"
        if late and own_end > end:
            sample["cut_short"] = True
        yield sample
        if late:
            return
        if error is None and slow is not None and sample["ms"] > slow:
            wanted = max(wanted, CONFIRM_SAMPLES)


def _sample(endpoint: Endpoint, deadline: float, resolver: Resolver, contexts: Contexts) -> dict[str, Any]:
    """One request with its redirects, as plain values. Never raises for what the endpoint does."""
    watch = Watch()
    hops: list[dict[str, Any]] = []
    phases: dict[str, float] = {}
    error: Failure | None = None
    try:
        _follow(endpoint, deadline, resolver, contexts, hops, phases)
    except Failure as failure:
        error = failure
    took, waited = watch.ms()
    exchange: Exchange = hops[-1]["exchange"]
    clean = _cleaner(endpoint)
    sample: dict[str, Any] = {
        "ms": took,
        "phases": {phase: round(spent, 2) for phase, spent in phases.items()},
        "address": exchange.address,
        "status": exchange.status,
        "error": _scrub(error.to_dict(), clean) if error else None,
    }
    if waited >= 1:
        sample["waited_ms"] = waited
    if exchange.tried:
        sample["tried"] = exchange.tried
    if exchange.tls:
        sample["tls"] = exchange.tls
    if len(hops) > 1:
        sample["hops"] = [{"url": clean(hop["url"]), "status": hop["exchange"].status} for hop in hops]
    if error is None or error.phase in ("body", "redirect"):
        sample.update(_content(endpoint, exchange, error, clean))
    return sample


def _follow(
    endpoint: Endpoint,
    deadline: float,
    resolver: Resolver,
    contexts: Contexts,
    hops: list[dict[str, Any]],
    phases: dict[str, float],
) -> None:
    """Send the request and walk its redirects; `hops` and `phases` are filled also when it ends in a Failure."""
    url, method, body = endpoint.url, endpoint.method, endpoint.body
    own = split_url(url)
    while True:
        target = split_url(url)
        exchange = Exchange(url)
        hops.append({"url": url, "exchange": exchange})
        try:
            place = _place(endpoint, own, target)
            headers = _headers(endpoint, own, target)
            send(endpoint, target, method, headers, body, place, deadline, resolver, contexts, exchange)
        finally:
            for phase, spent in exchange.phases.items():
                phases[phase] = phases.get(phase, 0.0) + spent
        status = exchange.status or 0
        if status not in _REDIRECTS or endpoint.follow == "none" or expected(endpoint.status, status):
            return
        url = _next(endpoint, url, exchange.location, [hop["url"] for hop in hops])
        if status == 303 or (status in (301, 302) and method == "POST"):
            method, body = ("HEAD" if method == "HEAD" else "GET"), None


def expected(ranges: Sequence[Sequence[int]], status: int) -> bool:
    """Whether a status is among the wanted ones."""
    return any(low <= status <= high for low, high in ranges)


def _place(endpoint: Endpoint, own: tuple[str, str, int, str], target: tuple[str, str, int, str]) -> tuple[str, int]:
    """Where to connect: `connect_to` stands for the endpoint's own host only."""
    if endpoint.connect_host is None or target[1] != own[1]:
        return target[1], target[2]
    return endpoint.connect_host, endpoint.connect_port if endpoint.connect_port and target[2] == own[2] else target[2]


def _headers(endpoint: Endpoint, own: tuple[str, str, int, str], target: tuple[str, str, int, str]) -> dict[str, str]:
    headers = {"User-Agent": _USER_AGENT, "Accept": "*/*", "Connection": "close"}
    given = dict(endpoint.headers)
    # A secret goes to the host that it was given for, and never from https to http.
    if target[1] == own[1] and (target[2] == own[2] or target[0] == "https"):
        given.update(endpoint.secret_headers)
    named = {name.lower() for name in given}
    headers = {name: value for name, value in headers.items() if name.lower() not in named}
    headers.update(given)
    if target[1] != own[1]:
        headers = {name: value for name, value in headers.items() if name.lower() != "host"}
    return headers


def _next(endpoint: Endpoint, url: str, location: str | None, seen: Sequence[str]) -> str:
    if not location:
        raise Failure("redirect", "location", "no Location header")
    try:
        # Servers send what is not ASCII; http.client gives it back as Latin-1.
        following = urljoin(url, location).split("#", 1)[0]
        there, here = split_url(following), split_url(url)
    except (OptionError, ValueError) as error:
        raise Failure("redirect", "location", f"{location[:200]!r}: {error}") from error
    if here[0] == "https" and there[0] == "http":
        raise Failure("redirect", "downgrade", following)
    if there[1] != split_url(endpoint.url)[1] and endpoint.follow != "all":
        raise Failure("redirect", "elsewhere", following)
    if following in seen:
        raise Failure("redirect", "loop", " > ".join([*list(seen)[-3:], following]))
    if len(seen) > MOST_HOPS:
        raise Failure("redirect", "too_many", "more than %d redirects" % MOST_HOPS)
    return following


def _content(
    endpoint: Endpoint, exchange: Exchange, error: Failure | None, clean: Callable[[str], str]
) -> dict[str, Any]:
    """What an answer says: an excerpt, the assertions that do not hold, the health document."""
    found: dict[str, Any] = {
        "size": len(exchange.body),
        "headers": {name: clean(value) for name, value in exchange.headers.items()},
    }
    if exchange.cut:
        found["cut"] = True
    wrong: list[str] = []
    text = ""
    try:
        if exchange.body:
            plain, cut = content.decompress(
                bytes(exchange.body), exchange.headers.get("content-encoding", ""), endpoint.max_body
            )
            exchange.cut = exchange.cut or cut
            text = plain.decode(content.charset(exchange.headers.get("content-type", "")), "replace")
    except content.Undecodable as trouble:
        if error is None and not exchange.cut:
            found["error"] = Failure("body", "encoding", str(trouble)).to_dict()
            return found
    status_fine = expected(endpoint.status, exchange.status or 0)
    if error is None and status_fine and (endpoint.json or endpoint.text):
        wrong = content.judge(text, exchange.cut, endpoint.json, endpoint.text)
    found["wrong"] = [clean(one) for one in wrong]
    document, reason = content.parse_json(text) if text[:1] in ("{", " ", "\n", "\r", "\t") else (None, "")
    health = content.health(document) if reason is None else None
    if health:
        found["health"] = _scrub(health, clean)
    if text and (wrong or not status_fine or error is not None):
        found["excerpt"] = clean(content.excerpt(text, _EXCERPT))
    return found


def _cleaner(endpoint: Endpoint) -> Callable[[str], str]:
    """A function that takes this endpoint's own secrets out of a text, wherever a server repeats them."""
    secrets = set()
    for value in endpoint.secret_headers.values():
        secrets.add(value)
        secrets.add(value.split(" ", 1)[-1])
    longest_first = sorted((one for one in secrets if len(one) > 3), key=len, reverse=True)

    def clean(text: str) -> str:
        for secret in longest_first:
            text = text.replace(secret, "[redacted]")
        return text

    return clean


def _scrub(data: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(data, str):
        return clean(data)
    if isinstance(data, Mapping):
        return {key: _scrub(value, clean) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_scrub(value, clean) for value in data]
    return data
