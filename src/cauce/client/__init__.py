"""A Python client of the HTTP API: `Client(url, token)`, with typed answers, pages as iterators, and retries.

It imports nothing of Cauce but `errors`, so that a program that only asks loads no engine.
"""

from cauce.client.client import Client

__all__ = ["Client"]
