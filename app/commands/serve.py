"""`risk-serve run`: one process, or several under a supervisor."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress

import structlog
import uvicorn

from app.errors import EXPECTED
from app.settings import Settings
from models.environment import one_thread
from models.importing import uncollected

LOOK_FOR_PARENT_S = 1.0

log = structlog.get_logger()


def serve(settings: Settings) -> None:
    """Serve until asked to end.

    Raises
    ------
    StartRefused
        When the service must not start like this.
    """
    one_thread()
    with uncollected():
        from app.logs import configure_logging
        from app.main import create_app, prepare
        from app.serving.worker_group import WorkerGroup, group_folder
        from app.supervisor import supervise
        from monitoring.keyring import load_keyring

    configure_logging(settings.log_level)
    keyring = prepare(settings)
    alone = WorkerGroup()
    app = create_app(settings, keyring, alone)  # refuses here, once, before any worker starts
    with group_folder(settings.var_dir.resolve()) as folder:
        if settings.workers == 1:
            alone.folder = folder
            _answer(settings, app, None)
            return
        supervisor = os.getpid()

        def work(port: int) -> None:
            own = settings.model_copy(update={"port": port, "workers": 1})
            try:
                # Nothing of the supervisor's but its code: keys may be others since it began.
                answering = create_app(own, load_keyring(own.keys), WorkerGroup(folder))
                _answer(own, answering, supervisor)
            except EXPECTED as error:
                log.critical("worker_refused", reason=str(error))
                sys.exit(1)

        supervise(settings.host, settings.port, settings.workers, work)


def _answer(settings: Settings, app: object, supervisor: int | None) -> None:
    from app.supervisor import listen

    listener = listen(settings.host, settings.port, shared=supervisor is not None)
    server = uvicorn.Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]  # an ASGI application
            access_log=False,
            log_config=None,  # its lines go the way of ours
            log_level="warning",
            server_header=False,
            date_header=False,
            ws="none",  # there is none to open, and its library repeats a bad header in its answer
            proxy_headers=False,  # who asks is decided by trusted proxies and tokens alone
            timeout_graceful_shutdown=10,
        )
    )
    if supervisor is None:
        server.run(sockets=[listener])
    else:
        # The loop that `server.run` would take: uvloop where it is installed.
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(_under(supervisor, server.serve(sockets=[listener])))


async def _under(supervisor: int, serving: object) -> None:
    """Serve, and end when the supervisor is gone: nobody would end this worker otherwise.

    The supervisor is told, not looked up: it may be gone before the worker has started.
    """

    async def watch() -> None:
        while os.getppid() == supervisor:  # noqa: ASYNC110 - the kernel sends no event for it
            await asyncio.sleep(LOOK_FOR_PARENT_S)
        os.kill(os.getpid(), signal.SIGTERM)

    watching = asyncio.create_task(watch())
    try:
        await serving  # type: ignore[misc]  # a coroutine of uvicorn's
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
