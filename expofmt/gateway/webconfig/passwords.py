"""Which passwords are right."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

__all__ = ["Passwords"]

# Passwords that are remembered to be right, and as many that are remembered to be wrong.
_REMEMBERED: Final = 1024
# More does not count.
_PASSWORD_BYTES: Final = 72


class Passwords:
    """Tells right passwords from wrong ones, and remembers which were which, never the passwords themselves.

    For one event loop. To compute a bcrypt hash takes as long as thousands of pushes: it is done in threads, of which
    there are so few that somebody who guesses leaves the processor to the others.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="expofmt-bcrypt")
        self._key = secrets.token_bytes(32)
        # Kept apart, so that no number of guesses makes a right password be forgotten.
        self._known: dict[bool, OrderedDict[bytes, None]] = {True: OrderedDict(), False: OrderedDict()}
        self._running: dict[bytes, Future[bool]] = {}

    async def fit(self, users: Mapping[bytes, bytes], user: bytes, password: bytes) -> bool:
        """Whether there is such a user with such a password. An unknown user takes as long as a known one."""
        hash = users.get(user)
        known = hash is not None
        if hash is None:
            hash = next(iter(users.values()))
        digest = hashlib.blake2b(key=self._key)
        for part in (b"known" if known else b"unknown", user, password, hash):
            digest.update(len(part).to_bytes(8, "big") + part)
        key = digest.digest()
        for verdict, remembered in self._known.items():
            if key in remembered:
                remembered.move_to_end(key)
                return verdict
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = self._threads.submit(_fits, password, hash)
        try:
            # Whoever goes away leaves the others waiting for it.
            verdict = await asyncio.shield(asyncio.wrap_future(running)) and known
        finally:
            if running.done():
                self._running.pop(key, None)
        remembered = self._known[verdict]
        remembered[key] = None
        if len(remembered) > _REMEMBERED:
            remembered.popitem(last=False)
        return verdict


def _fits(password: bytes, hash: bytes) -> bool:
    import bcrypt

    try:
        return bcrypt.checkpw(password[:_PASSWORD_BYTES], hash)
    except ValueError:  # for a password with a zero byte
        return False
