"""TLS contexts for servers on asyncio, which let a client know why its handshake has failed."""

from __future__ import annotations

import ssl
from typing import Any

__all__ = ["HandshakeError", "ServerContext"]


class HandshakeError(ssl.SSLError):
    """A handshake has failed; ``alert`` is what to send to the client then, so that it knows why."""

    def __init__(self, error: ssl.SSLError, alert: bytes) -> None:
        super().__init__(*error.args)
        self.alert = alert

    def told(self) -> str:
        """Why it has failed, in OpenSSL's words."""
        cause = self.__cause__
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the client's certificate: {cause.verify_message}"
        reason = cause.reason if isinstance(cause, ssl.SSLError) else None
        return reason.replace("_", " ").lower() if reason else str(self)


class ServerContext(ssl.SSLContext):
    """A context for a server. Whoever accepts connections with it sends the alerts of handshakes that fail.

    asyncio closes such connections, and leaves unsent what OpenSSL would say.
    """

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """As that of any context, for what raises :class:`HandshakeError`."""
        wrapped = super().wrap_bio(incoming, outgoing, *args, **kwargs)
        assert isinstance(wrapped, _ServerObject)
        wrapped.outgoing = outgoing
        return wrapped


class _ServerObject(ssl.SSLObject):
    outgoing: ssl.MemoryBIO

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            raise HandshakeError(error, self.outgoing.read()) from error


ServerContext.sslobject_class = _ServerObject
