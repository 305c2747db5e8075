"""Where a server listens: addresses as they are written on a command line, and the sockets that systemd hands over."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from typing import Final

__all__ = ["bound", "inherited", "shown"]

_VSOCK: Final = "vsock://"
# The first descriptor that a process inherits from systemd.
_FIRST: Final = 3
_LISTEN: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def bound(address: str) -> socket.socket:
    """A socket that is bound to an address and does not listen yet: ``:9091``, ``host:port`` or ``vsock://:port``.

    Without a host, it is all addresses of the machine, of IPv6 and IPv4 alike; IPv6 addresses are in brackets. Port 0
    is one that is free. Raises ValueError for what is no address, and OSError where it cannot be had.

    >>> with bound("127.0.0.1:0") as listener:
    ...     listener.getsockname()[0]
    '127.0.0.1'
    >>> bound("9091")
    Traceback (most recent call last):
    ValueError: `9091` is no address: expected host:port, such as :9091 or [::1]:9091
    """
    if address.startswith(_VSOCK):
        return _bound_vsock(address)
    host, colon, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    # The C library takes a port that is too large modulo 65536.
    if not colon or not port or (":" in host and not bracketed) or (port.isdecimal() and int(port[:9]) > 65535):
        raise ValueError(f"`{address}` is no address: expected host:port, such as :9091 or [::1]:9091")
    host = host[1:-1] if bracketed else host
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, OverflowError) as error:
        raise OSError(f"{getattr(error, 'strerror', None) or error}") from None
    if host in ("", "::") and socket.has_dualstack_ipv6():
        return _bound(socket.AF_INET6, ("::", found[0][4][1]))
    family, _, _, _, name = min(found, key=lambda each: each[0] != socket.AF_INET)
    return _bound(family, name)


def _bound_vsock(address: str) -> socket.socket:
    family = getattr(socket, "AF_VSOCK", None)
    if family is None:
        raise OSError("this platform has no vsock")
    cid, colon, port = address.removeprefix(_VSOCK).rpartition(":")
    if not colon or not port.isdecimal() or (cid and not cid.isdecimal()):
        raise ValueError(f"`{address}` is no address: expected vsock://CID:PORT, or vsock://:PORT for any CID")
    return _bound(family, (int(cid) if cid else socket.VMADDR_CID_ANY, int(port)))


def _bound(family: int, name: object) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Connections that a server had before it was started again do not keep it from its port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, name[0] != "::")  # type: ignore[index]
        listener.bind(name)  # type: ignore[arg-type]
    except BaseException:
        listener.close()
        raise
    return listener


def inherited(environment: MutableMapping[str, str]) -> list[socket.socket]:
    """The sockets that systemd hands over to this process, as ``sd_listen_fds(3)`` tells.

    What the environment says of them is taken out, so that no child process takes it for its own. Raises OSError if
    there are none.

    >>> inherited({})
    Traceback (most recent call last):
    OSError: systemd hands over no sockets: is the service started by its socket unit?
    """
    pid, count, _ = (environment.pop(name, "") for name in _LISTEN)
    if pid != str(os.getpid()) or not count.isdecimal() or int(count) < 1:
        raise OSError("systemd hands over no sockets: is the service started by its socket unit?")
    listeners = []
    for descriptor in range(_FIRST, _FIRST + int(count)):
        os.set_inheritable(descriptor, False)
        listener = socket.socket(fileno=descriptor)
        if listener.type != socket.SOCK_STREAM or not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError(f"descriptor {descriptor}, which systemd hands over, is no stream socket that listens")
        listeners.append(listener)
    return listeners


def shown(listener: socket.socket) -> str:
    """Where a socket is bound, as one writes it.

    >>> with bound("127.0.0.1:0") as listener:
    ...     shown(listener) == f"127.0.0.1:{listener.getsockname()[1]}"
    True
    """
    name = listener.getsockname()
    if listener.family == socket.AF_INET6:
        return f"[{name[0]}]:{name[1]}"
    if isinstance(name, tuple):
        vsock = listener.family == getattr(socket, "AF_VSOCK", None)
        return f"{_VSOCK if vsock else ''}{name[0]}:{name[1]}"
    return name if isinstance(name, str) else repr(name)
