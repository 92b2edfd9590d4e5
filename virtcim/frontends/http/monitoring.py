"""The pages that tell how the server is.

`/health` tells everybody, in one word, whether requests are taken; `/metrics` has the figures; `/status` tells those
who may read how the server is.
"""

from __future__ import annotations

from collections.abc import Callable

from virtcim.cimom.principals import Principal
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.http.callers import Callers
from virtcim.frontends.http.connections import SERVER
from virtcim.frontends.http.exchange import HTTPFault, too_busy
from virtcim.frontends.http.library import web
from virtcim.frontends.http.metrics import Metrics
from virtcim.frontends.http.workers import PoolFullError, WorkerPool

__all__ = ["MONITORED", "Monitoring"]

HEALTH = "/health"
METRICS = "/metrics"
STATUS = "/status"
MONITORED = frozenset({HEALTH, METRICS, STATUS})


class Monitoring:
    """Answers the requests for these pages.

    Parameters:
        settings: whether there are figures, and for whom.
        metrics: the figures.
        callers: tells who asks.
        files: a thread for what reads files.

    Attributes:
        report: from who asks to what `/status` answers, in JSON; to None where that is not for them.  None for no
            such page.
        stopping: whether the server is about to end.
    """

    def __init__(self, settings: ServerSettings, metrics: Metrics, callers: Callers, files: WorkerPool) -> None:
        self._settings = settings
        self._metrics = metrics
        self._callers = callers
        self._files = files
        self._figures = WorkerPool(1, "figures", settings.max_waiting)
        self.report: Callable[[Principal], str | None] | None = None
        self.stopping = False

    def close(self) -> None:
        """Give up the thread of the figures; what it still does is not waited for."""
        self._figures.close()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request for one of `MONITORED`.

        Raises:
            HTTPFault: there is no such page, or it is not for whoever asks.
        """
        if request.path == HEALTH:
            word, status = ("stopping", 503) if self.stopping else ("ok", 200)
            return web.json_response({"status": word}, status=status, headers={"Server": SERVER})
        if request.path == STATUS:
            return await self._status(request)
        if not self._settings.metrics:
            raise HTTPFault(404, "There are no metrics")
        if not self._settings.metrics_public:
            await self._callers.principal(request)
        # It opens files of /proc, waits for libvirt, and with many guests it takes a while.
        accept = request.headers.get("Accept", "")
        try:
            text, media_type = await self._figures.run(lambda: self._write_figures(accept))
        except PoolFullError:
            raise too_busy() from None
        return web.Response(body=text, headers={"Server": SERVER, "Content-Type": media_type})

    def _write_figures(self, accept: str) -> tuple[bytes, str]:
        # Here, since most servers have nobody who looks at them.
        from virtcim.frontends.http.exposition import write_figures

        return write_figures(self._metrics, accept)

    async def _status(self, request: web.BaseRequest) -> web.StreamResponse:
        """`/status` tells those who may read how the server is."""
        report = self.report
        if report is None:
            raise HTTPFault(404, "There is no status")
        principal = await self._callers.principal(request)
        text = await self._files.run(lambda: report(principal))
        if text is None:
            raise HTTPFault(403, "Not for this user")
        return web.json_response(text=text, headers={"Server": SERVER})
