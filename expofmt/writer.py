"""Who writes: tasks wait in line, one thread at a time commits those that wait together, and futures are told.

All that a store knows of queues, threads and interrupts is here.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Lock, Thread, current_thread, main_thread
from typing import Any, Final, NamedTuple

from .committed import Committed, Task

__all__ = ["Writer"]

# How many requests are recorded in one transaction at most, so that none waits for all that come after it.
_BATCH: Final = 256


class _Waiting(NamedTuple):
    """A task on its way, and who waits for it."""

    task: Task
    future: Future[Any]

    def tell(self) -> None:
        """Let whoever waits for the task know what became of it."""
        if self.task.error is not None:
            self.future.set_exception(self.task.error)
        else:
            self.future.set_result(self.task.answer)


class Writer:
    """Commits tasks in the order in which they come, those that wait together in one batch. Safe for threads.

    ``in_background``: a commit takes time, so that whoever waits for one lets a thread do it that is there for it.
    """

    def __init__(self, committed: Committed, *, in_background: bool) -> None:
        self._committed = committed
        self._in_background = in_background
        # Held by whoever writes.
        self._writing = Lock()
        # Held for the moments in which a task is put in line.
        self._queueing = Lock()
        self._waiting: deque[_Waiting] = deque()
        self._closed = False
        # What went wrong where nothing may: what is seen may be something else than what was committed.
        self._broken: BaseException | None = None
        self._background: ThreadPoolExecutor | None = None
        # Whether it has been told to look what is waiting, and has not begun to.
        self._is_told = False
        # Its thread, once it has worked.
        self._worker: Thread | None = None

    def do(self, task: Task) -> Any:
        """Commit a task; returns its answer or raises its error.

        Where a KeyboardInterrupt can come, nothing is done but waiting: a change must not stop half-way, nor be taken
        back when it may be in the journal already.
        """
        # The background itself, in what it calls when a future is done, has nobody to wait for.
        thread = current_thread()
        if thread is not self._worker and (self._in_background or thread is main_thread()):
            return self.submit(task).result()
        waiting = _Waiting(task, Future())
        self._enqueue(waiting)
        self._write()
        return waiting.future.result()

    def submit(self, task: Task) -> Future[Any]:
        """Commit a task in the background. Raises ValueError when closed, RuntimeError when broken."""
        waiting = _Waiting(task, Future())
        try:
            self._enqueue(waiting)
            try:
                self._tell_background()
            except RuntimeError:
                # The process is about to end, or the store was closed since.
                self._write(wait=True)
        except BaseException:
            # An interrupt: where nobody was told of the task, it must not wait to be done with some later one.
            waiting.future.cancel()
            raise
        return waiting.future

    @property
    def broken(self) -> RuntimeError | None:
        """Why no more tasks are taken, if something went wrong where nothing may."""
        return None if self._broken is None else _broken_error(self._broken)

    def close(self) -> None:
        """Finish what waits, and let go of the journal. Closing twice does no harm."""
        with self._queueing:
            self._closed = True
            background = self._background
        if background is not None:
            # It may be the background that closes the store, in what is called when a future is done.
            background.shutdown(wait=current_thread() is not self._worker)
        self._write(wait=True)
        with self._writing:
            self._committed.close()

    def _enqueue(self, waiting: _Waiting) -> None:
        with self._queueing:
            if self._closed:
                raise ValueError("the store is closed")
            if self._broken is not None:
                raise _broken_error(self._broken)
            self._waiting.append(waiting)

    def _tell_background(self) -> None:
        with self._queueing:
            if self._is_told:
                return
            if self._background is None:
                self._background = ThreadPoolExecutor(1, "expofmt-store")
            self._background.submit(self._write_in_background)
            self._is_told = True

    def _write_in_background(self) -> None:
        self._worker = current_thread()
        with self._queueing:
            self._is_told = False
        self._write(wait=True)

    def _write(self, *, wait: bool = False) -> None:
        """Do what is waiting. Where somebody else writes, that is left to him, unless he is to be waited for: he looks
        again when he is done.
        """
        while self._waiting and self._writing.acquire(blocking=wait):
            # All are told, whatever one of those who are told raises; and with the lock released, since they may want
            # to write, too.
            with ExitStack() as telling:
                try:
                    batch = self._next_batch()
                    for waiting in reversed(batch):
                        telling.callback(waiting.tell)
                    if batch:
                        self._write_batch([waiting.task for waiting in batch])
                finally:
                    self._writing.release()

    def _next_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < _BATCH:
            waiting = self._waiting.popleft()
            if waiting.future.set_running_or_notify_cancel():
                batch.append(waiting)
        return batch

    def _write_batch(self, tasks: list[Task]) -> None:
        """Find out what becomes of the tasks; nothing is raised."""
        try:
            if self._broken is None:
                self._committed.commit(tasks)
        except BaseException as error:  # noqa: BLE001 - whoever waits for the tasks is told
            self._broken = error
        if self._broken is not None:
            for task in tasks:
                task.error = _broken_error(self._broken)


def _broken_error(cause: BaseException) -> RuntimeError:
    error = RuntimeError(
        f"the store is broken by an unexpected error, and takes no more changes: {cause!r}; what its journal has "
        "recorded is in another store made with it"
    )
    error.__cause__ = cause
    return error
