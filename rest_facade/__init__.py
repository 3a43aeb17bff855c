"""The HTTP face of Ingate: REST dialects transcoded to rpcs, and the host of the proxy.

Knows generated stubs and the proxy engine; no feature and no database.
"""
