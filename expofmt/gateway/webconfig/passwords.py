"""Which passwords are right."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Final

from ..presence import Presence

__all__ = ["BusyError", "Passwords"]

# Passwords that are remembered to be right, and as many that are remembered to be wrong.
_REMEMBERED: Final = 1024
# More does not count.
_PASSWORD_BYTES: Final = 72
# So few that somebody who guesses leaves the processor to the others.
_THREADS: Final = 2
# Passwords that wait to be computed. At a usual cost, the last of them waits for some seconds.
_WAITING: Final = 64
# The lanes that one address may take up, by the names that it gives.
_LANES: Final = 8


class BusyError(Exception):
    """There are too many passwords to compute."""


def _is_there() -> Presence:
    return Presence.THERE


@dataclass(eq=False, slots=True)
class _Check:
    """A password that waits, or is computed; the verdict is ``None`` if that is given up."""

    key: bytes
    known: bool
    password: bytes
    hash: bytes
    verdict: asyncio.Future[bool | None]
    clients: list[Callable[[], Presence]] = field(default_factory=list)

    def presence(self) -> Presence:
        return max(client() for client in self.clients)


class Passwords:
    """Tells right passwords from wrong ones, and remembers which were which, never the passwords themselves.

    For one event loop. To compute a bcrypt hash takes as long as thousands of pushes: few are computed at a time, in
    threads, and few wait for that. Each address has its turn, and the names that come from it have theirs, so that
    whoever guesses stands in his own way; where too many wait, it is one of those that wait in the longest lane that
    is refused.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="expofmt-bcrypt")
        self._key = secrets.token_bytes(32)
        # Kept apart, so that no number of guesses makes a right password be forgotten.
        self._remembered: dict[bool, OrderedDict[bytes, None]] = {True: OrderedDict(), False: OrderedDict()}
        self._checks: dict[bytes, _Check] = {}
        # Those that wait; the first lane is the next to be served.
        self._lanes: OrderedDict[object, list[_Check]] = OrderedDict()
        self._computing: dict[_Check, asyncio.Task[None]] = {}
        self._is_closed = False

    async def fit(
        self,
        users: Mapping[bytes, bytes],
        user: bytes,
        password: bytes,
        *,
        address: str = "",
        presence: Callable[[], Presence] = _is_there,
    ) -> bool:
        """Whether there is such a user with such a password. An unknown user takes as long as a known one.

        Raises BusyError.
        """
        hash = users.get(user)
        known = hash is not None
        if hash is None:
            # Always the same, and any of them, so that the time it takes is what it may take for a known one.
            hash = list(users.values())[int.from_bytes(self._digest(user), "big") % len(users)]
        key = self._digest(b"known" if known else b"unknown", user, password, hash)
        for verdict, remembered in self._remembered.items():
            if key in remembered:
                remembered.move_to_end(key)
                return verdict
        check = self._checks.get(key)
        if check is None:
            if self._is_closed:
                raise BusyError
            check = _Check(key, known, password, hash, asyncio.get_running_loop().create_future())
            self._checks[key] = check
            lane = _network(address), self._digest(user)[0] % _LANES
            self._lanes.setdefault(lane, []).append(check)
        check.clients.append(presence)
        self._compute()
        if sum(map(len, self._lanes.values())) > _WAITING:
            self._refuse_one()
        # Whoever goes away leaves the others waiting for it.
        result = await asyncio.shield(check.verdict)
        if result is None:
            raise BusyError
        return result

    def close(self) -> None:
        """Give up what waits, and compute nothing more."""
        self._is_closed = True
        for lane in self._lanes.values():
            for check in lane:
                self._end(check, None)
        self._lanes.clear()

    def _digest(self, *parts: bytes) -> bytes:
        digest = hashlib.blake2b(key=self._key)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()

    def _compute(self) -> None:
        """Compute what is next, if there is anybody to be told."""
        while self._lanes and len(self._computing) < _THREADS:
            name, lane = self._lanes.popitem(last=False)
            check = max(lane, key=_Check.presence)
            lane.remove(check)
            if lane:
                self._lanes[name] = lane
            if check.presence() is Presence.GONE:
                self._end(check, None)
                continue
            self._computing[check] = asyncio.create_task(self._run(check))

    async def _run(self, check: _Check) -> None:
        loop = asyncio.get_running_loop()
        try:
            fits = await loop.run_in_executor(self._threads, _fits, check.password, check.hash)
        finally:
            del self._computing[check]
        verdict = fits and check.known
        remembered = self._remembered[verdict]
        remembered[check.key] = None
        if len(remembered) > _REMEMBERED:
            remembered.popitem(last=False)
        self._end(check, verdict)
        self._compute()

    def _refuse_one(self) -> None:
        """Of the longest lane, the last of those that are the least there."""
        name, lane = max(self._lanes.items(), key=lambda item: len(item[1]))
        check = min(reversed(lane), key=_Check.presence)
        lane.remove(check)
        if not lane:
            del self._lanes[name]
        self._end(check, None)

    def _end(self, check: _Check, verdict: bool | None) -> None:
        del self._checks[check.key]
        if not check.verdict.done():
            check.verdict.set_result(verdict)


def _network(address: str) -> str:
    """Whose address it is, as far as one can tell: of IPv6, one is given a network of 64 bits.

    >>> _network("2001:db8::1:2") == _network("2001:db8::3"), _network("::ffff:10.0.0.1"), _network("")
    (True, '10.0.0.1', '')
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped or parsed.packed[:8].hex())


def _fits(password: bytes, hash: bytes) -> bool:
    import bcrypt

    try:
        return bcrypt.checkpw(password[:_PASSWORD_BYTES], hash)
    except ValueError:  # for a password with a zero byte
        return False
