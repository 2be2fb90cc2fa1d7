"""HTTP, and packages from the user's indexes: who may be asked, and within which limits.

Here: addresses, proxies, connections, the client and its backoff, resumable downloads, buckets,
what owners have said against use, pip and npm. Not here: what a search engine's page or a
picture looks like (sources, pictures).
"""
