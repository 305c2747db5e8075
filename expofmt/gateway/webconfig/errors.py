"""What is wrong with a file."""

from __future__ import annotations

__all__ = ["WebConfigError"]


class WebConfigError(ValueError):
    """The file cannot be read, or says what makes no sense; the message is one line that names the file and the line.

    >>> issubclass(WebConfigError, ValueError)
    True
    """
