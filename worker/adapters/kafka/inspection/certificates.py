"""Why a broker's certificate is refused: librdkafka says the same whether authority, name or date is wrong."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping

from worker.adapters.tls import trusting

NOT_VERIFIED = "certificate verify failed"
"""The words of librdkafka, whatever the reason."""

TIMEOUT_SECONDS = 3.0

_BROKER = re.compile(r"^(?:[a-z_]+://)?([^\s/]+):(\d+)(?:/|: )")


def why_not_verified(text: str, properties: Mapping[str, str]) -> str | None:
    """OpenSSL's own reason for refusing the certificate of the broker that an error is about; None if it gives none.

    Args:
        text: the client's error, which begins with the broker's address.
        properties: the user's, for the authorities to trust.
    """
    broker = _BROKER.match(text)
    if broker is None:
        return None
    try:
        context = trusting(properties.get("ssl.ca.location"), properties.get("ssl.ca.pem"))
        host = broker[1].strip("[]")
        with (
            socket.create_connection((host, int(broker[2])), TIMEOUT_SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return str(error.verify_message).rstrip(".")
    except OSError:
        return None
