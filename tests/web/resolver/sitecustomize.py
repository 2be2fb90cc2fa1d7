"""Names of hosts for tests, in every Python that has this folder in PYTHONPATH."""

import itertools
import socket

ADDRESSES = {
    "here.test": ["127.0.0.1"],
    "also-here.test": ["127.0.0.1"],
    "pictures.example": ["127.0.0.1"],  # for the proxy alone
    "private.test": ["10.1.2.3"],
    "mixed.test": ["127.0.0.1", "192.168.1.1"],
    "metadata.test": ["169.254.169.254"],
}
REBINDING = itertools.chain(["127.0.0.1"], itertools.repeat("10.1.2.3"))
_real = socket.getaddrinfo


def getaddrinfo(host, port, *words, **options):
    if host == "rebinding.test":
        return _real(next(REBINDING), port, *words, **options)
    if host in ADDRESSES:
        found = [_real(address, port, *words, **options) for address in ADDRESSES[host]]
        return list(itertools.chain.from_iterable(found))
    return _real(host, port, *words, **options)


socket.getaddrinfo = getaddrinfo
