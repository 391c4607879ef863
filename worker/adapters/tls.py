"""Which certificates of servers are trusted."""

from __future__ import annotations

import ssl


def trusting(ca_file: str | None = None, ca_pem: str | None = None) -> ssl.SSLContext:
    """A context that trusts an authority of the user's own; the system's where neither is given.

    From Python 3.13 on, certificates must also have extensions of RFC 5280 that those of own authorities often lack,
    such as a key usage. librdkafka and earlier versions of Python do not require them, so they are not required here
    either.
    """
    context = ssl.create_default_context(cafile=ca_file, cadata=ca_pem)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
