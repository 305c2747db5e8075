"""Prometheus exposition text: read it, check it, merge it, write it."""

__version__ = "0.1.0"
