"""A server for the gateway's application: uvicorn on any number of sockets, with TLS, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

import uvicorn

from .asgi import ASGIApp
from .connection import Connection, TimeLimits
from .handshakes import HandshakeError
from .listeners import shown
from .logs import Handler, Log, Rarely
from .webconfig import Authenticated, WebConfigError, WebConfigFile

__all__ = ["Server"]

_BACKLOG: Final = 2048
_WATCH_SECONDS: Final = 1.0
# How long a client may take to read what is left of the last response, and to say good-bye, as TLS has it.
_TLS_SHUTDOWN_SECONDS: Final = 60.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
# What the libraries have to say.
_LOGGERS: Final = ("uvicorn.error", "asyncio")
# The first byte of a TLS connection.
_HANDSHAKE: Final = b"\x16"
# An alert, which ends a handshake.
_INTERNAL_ERROR: Final = b"\x15\x03\x03\x00\x02\x02\x50"
# As Go answers, to the byte.
_NOT_TLS: Final = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


class Server(uvicorn.Server):
    """Serves an application on sockets that are bound, until SIGINT, SIGTERM or :meth:`stop`.

    It ends gracefully then: it accepts no more connections, finishes the requests that it has, and returns. A second
    SIGINT does not wait for them. ``web_config`` is who may come in, and how. For the main thread, once.
    """

    def __init__(
        self,
        app: ASGIApp,
        listeners: Sequence[socket.socket],
        *,
        web_config: WebConfigFile | None = None,
        limits: TimeLimits | None = None,
        log: Log | None = None,
    ) -> None:
        self._log = log or Log()
        self._rarely = Rarely(self._log)
        self._door: Authenticated | None = None
        if web_config is not None:
            app = self._door = Authenticated(app, web_config, on_error=self._tell_broken)
        config = uvicorn.Config(
            app,
            interface="asgi3",
            http=Connection,
            ws="none",
            lifespan="off",
            workers=1,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        super().__init__(config)
        self._listeners = listeners
        self._web_config = web_config
        self._limits = limits or TimeLimits()
        self._watcher: asyncio.Task[None] | None = None
        self._is_told = False

    def stop(self) -> None:
        """End gracefully; any thread may ask for it."""
        self.should_exit = True

    def serve_until_stopped(self, on_stopped: Callable[[], None] | None = None) -> None:
        """Serve; ``on_stopped`` is called when the last request is done, while signals still do no harm.

        Raises OSError where it cannot listen.
        """
        handler = Handler(self._log)
        for logger in (loggers := list(map(logging.getLogger, _LOGGERS))):
            logger.propagate = False
            logger.addHandler(handler)
        before = {each: signal.signal(each, self.handle_exit) for each in _SIGNALS}
        try:
            try:
                with asyncio.Runner() as runner:
                    runner.run(self.serve())
            finally:
                if on_stopped is not None:
                    on_stopped()
        finally:
            for each, old in before.items():
                signal.signal(each, old)
            for logger in loggers:
                logger.removeHandler(handler)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are handled from before the first request until after the last."""
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._log("info", f"received {signal.Signals(sig).name}, finishing what has begun")
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        loop = asyncio.get_running_loop()
        self.servers = []
        secure = self._web_config is not None and self._web_config.is_secure
        for listener in self._listeners:
            if secure and self._web_config is not None:
                server: Any = _TLSListener(listener, self._web_config, self._connection, self._limits, self._rarely)
            elif listener.family == getattr(socket, "AF_UNIX", None):
                server = await loop.create_unix_server(self._connection, sock=listener, backlog=_BACKLOG)
            else:
                server = await loop.create_server(self._connection, sock=listener, backlog=_BACKLOG)
            self.servers.append(server)
            self._log("info", "Listening on", {"address": shown(listener), "tls": str(secure).lower()})
        self._watcher = loop.create_task(self._watch())
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._door is not None:
            self._door.close()
        await super().shutdown(sockets)
        if self._watcher is not None:
            self._watcher.cancel()

    def _connection(self) -> Connection:
        admits = self._admits if self._web_config is not None and self._web_config.is_secure else None
        return Connection(self.config, self.server_state, limits=self._limits, admits=admits)

    def _admits(self, transport: asyncio.Transport) -> bool:
        certificate = transport.get_extra_info("peercert")
        try:
            tls = self._web_config.config().tls if self._web_config else None
        except WebConfigError:
            return True  # to be refused with each request
        if tls is None or tls.admits(certificate):
            return True
        names = ", ".join(str(name) for _, name in (certificate or {}).get("subjectAltName", ()))
        fields = {"peer": _peer(transport.get_extra_info("peername")), "names": names}
        self._rarely("warn", "no name of a client's certificate is in client_allowed_sans", fields)
        return False

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            self._tell_switched()
            now = loop.time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    try:
                        connection.watch(now)
                    except Exception as error:  # noqa: BLE001 - the others keep their limits
                        fields = {"err": f"{type(error).__name__}: {error}"}
                        self._rarely("error", "a connection cannot be watched", fields)

    def _tell_broken(self, error: str) -> None:
        self._rarely("error", "the web configuration cannot be used", {"err": error})

    def _tell_switched(self) -> None:
        """That TLS is asked for where it was not at the start; that it is no more is an error of the file."""
        if self._web_config is None or self._web_config.is_secure:
            return
        with suppress(WebConfigError):
            asked = self._web_config.config().tls is not None
            if asked and not self._is_told:
                message = "the web configuration asks for TLS now, which takes a restart: requests are served without"
                self._log("warn", message, {"file": self._web_config.path})
            self._is_told = asked


class _TLSListener:
    """Accepts connections and looks at their first byte; those that speak TLS get it as the files have it then."""

    def __init__(
        self,
        listener: socket.socket,
        file: WebConfigFile,
        connection: Callable[[], Connection],
        limits: TimeLimits,
        rarely: Rarely,
    ) -> None:
        self._listener = listener
        self._file = file
        self._connection = connection
        self._limits = limits
        self._rarely = rarely
        listener.setblocking(False)
        listener.listen(_BACKLOG)
        self._loop = asyncio.get_running_loop()
        self._tasks = {self._loop.create_task(self._accept())}

    def close(self) -> None:
        """Accept no more, and let go of those that have not come in."""
        for task in self._tasks:
            task.cancel()

    async def wait_closed(self) -> None:
        """Until that is done."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        while True:
            try:
                client, address = await self._loop.sock_accept(self._listener)
            except OSError as error:  # such as too many open files
                self._rarely("error", "cannot accept a connection", {"err": str(error)})
                await asyncio.sleep(1)
                continue
            task = self._loop.create_task(self._welcome(client, _peer(address)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _welcome(self, client: socket.socket, peer: str) -> None:
        try:
            async with asyncio.timeout(self._limits.header_seconds):
                first = await self._first_byte(client)
                if first == _HANDSHAKE:
                    if await self._shake_hands(client, peer):
                        return
                elif first.isalpha():
                    await self._say_last(client, _NOT_TLS)
        except asyncio.CancelledError:
            client.close()
            raise
        except (OSError, TimeoutError) as error:
            fields = {"peer": peer, "err": str(error) or type(error).__name__}
            self._rarely("debug", "a connection did not come to be", fields)
        client.close()

    async def _shake_hands(self, client: socket.socket, peer: str) -> bool:
        """Whether the connection has come to be, and the socket is that of its transport."""
        try:
            context = self._file.tls_context()
        except WebConfigError as error:
            self._rarely("error", "the web configuration cannot be used", {"err": str(error)})
            context = None
        if context is None:
            await self._say_last(client, _INTERNAL_ERROR)
            return False
        # asyncio closes the socket where the handshake fails, which must stay open until the client knows why.
        with client.dup() as held:
            try:
                await self._loop.connect_accepted_socket(
                    self._connection, client, ssl=context, ssl_shutdown_timeout=_TLS_SHUTDOWN_SECONDS
                )
            except HandshakeError as error:
                self._rarely("warn", "a TLS handshake failed", {"peer": peer, "err": error.told()})
                await self._say_last(held, error.alert)
                return False
        return True

    async def _say_last(self, client: socket.socket, data: bytes) -> None:
        """Send it, and wait until the client goes away: closing a socket that has unread data would make it a reset."""
        await self._loop.sock_sendall(client, data)
        client.shutdown(socket.SHUT_WR)
        while await self._loop.sock_recv(client, 65536):
            pass

    async def _first_byte(self, client: socket.socket) -> bytes:
        """What the client sends first, which is left to be read; empty if it goes away."""
        client.setblocking(False)
        while True:
            with suppress(BlockingIOError):
                return client.recv(1, socket.MSG_PEEK)
            readable = self._loop.create_future()
            self._loop.add_reader(client, _wake, readable)
            try:
                await readable
            finally:
                self._loop.remove_reader(client)


def _peer(address: object) -> str:
    """Who that is, as one writes it."""
    if isinstance(address, tuple) and len(address) > 1:
        return f"[{address[0]}]:{address[1]}" if ":" in str(address[0]) else f"{address[0]}:{address[1]}"
    return str(address or "")


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
