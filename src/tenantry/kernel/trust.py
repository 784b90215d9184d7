"""Whose certificates we believe when we ask another host: those that this machine believes."""

import ssl
from functools import cache

import httpx2


@cache
def trusted() -> ssl.SSLContext:
    """The machine's certificates, or those that `SSL_CERT_FILE` or `SSL_CERT_DIR` name; read once a process.

    A client that is not handed them (`verify=trusted()`) reads them for itself: 20 ms and 0.6 MB each time.
    """
    return httpx2.create_ssl_context()
