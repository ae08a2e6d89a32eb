"""Calls over HTTP, as `httpx2` has them. The certificates of the machine are read once, which takes 50 ms."""

import ssl
from functools import partial

import httpx2

_TRUST = ssl.create_default_context()

Client = partial(httpx2.Client, verify=_TRUST)
get = partial(httpx2.get, verify=_TRUST)
patch = partial(httpx2.patch, verify=_TRUST)
post = partial(httpx2.post, verify=_TRUST)
request = partial(httpx2.request, verify=_TRUST)
