"""Journals: what keeps the groups of a store when the process ends, whichever way it does.

``SqliteJournal`` keeps them in a file. The protocol that a store asks for is :class:`expofmt.groups.Journal`.
"""

from .sqlite import DamagedJournalError, SqliteJournal

__all__ = ["DamagedJournalError", "SqliteJournal"]
