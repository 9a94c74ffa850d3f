"""43 endpoints of which one answers only after 2 s: endpoint_health against curl and against a loop of uri."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

import measure

ENDPOINTS = 43
SLOW_SECONDS = 2.0
BODY = b'{"status":"healthy","service":"bench","checks":{"postgresql":{"kind":"store","status":"up","latency_ms":0.4}}}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(BODY)
    + BODY
)


async def serve() -> None:
    """Listen on 43 ports and print them; the last one is slow."""

    def handler(pause: float):
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(pause)
                writer.write(ANSWER)
                await writer.drain()
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        return handle

    servers = [
        await asyncio.start_server(handler(SLOW_SECONDS if place == ENDPOINTS - 1 else 0), "127.0.0.1", 0)
        for place in range(ENDPOINTS)
    ]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Measure and print."""
    server = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        urls = [f"http://127.0.0.1:{port}/health" for port in server.stdout.readline().split()]
        assert len(urls) == ENDPOINTS
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            endpoints = [{"name": f"service-{place}", "url": url} for place, url in enumerate(urls)]
            module = {"nexuscos.ops.endpoint_health": {"target": "bench", "endpoints": endpoints}}
            uri = {"ansible.builtin.uri": {"url": "{{ item }}"}, "loop": urls}
            commands = {
                "endpoint_health": measure.playbook([module], folder, "module"),
                "curl -Z": ["curl", "--silent", "--parallel", "--parallel-max", "100", "--fail", *urls],
                "one empty task": measure.playbook([{"ansible.builtin.ping": {}}], folder, "empty"),
            }
            taken = measure.in_turn(
                {what: lambda argv=argv: measure.process(argv)[0] for what, argv in commands.items()}
            )
            loop = measure.process(measure.playbook([uri], folder, "uri"))[0]
        base = measure.median(taken["curl -Z"]) + measure.median(taken["one empty task"])
        measure.emit(
            "endpoints",
            f"{ENDPOINTS} endpoints, one answers after {SLOW_SECONDS:g} s; whole playbook, 3 samples each",
            taken["endpoint_health"],
            "s",
            {"curl -Z + one empty task": base, "loop of uri": loop},
            1.6 * base,
        )
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        main()
