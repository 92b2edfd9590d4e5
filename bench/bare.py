"""The floor of every answer: aiohttp with nothing behind it, `python -m bench.bare FILE`.

Answers each request with the bytes that the file holds, and prints its port.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aiohttp import web

HEADERS = {"Content-Type": 'application/xml; charset="utf-8"', "CIMOperation": "MethodResponse"}


async def serve(file: Path) -> None:
    """Serve until the end of standard input."""
    known: tuple[int, bytes] = (0, b"")

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal known
        await request.read()
        changed = file.stat().st_mtime_ns
        if known[0] != changed:
            known = changed, file.read_bytes()
        return web.Response(body=known[1], headers=HEADERS)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
