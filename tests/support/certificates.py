"""Certificates and signed tokens for tests, made with the `openssl` command: nothing secret is in the repository."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from pathlib import Path

DAYS = "2"


def openssl(*arguments: str, stdin: bytes | None = None) -> bytes:
    """Run openssl; returns what it prints."""
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Authority:
    """A certificate authority with its own folder.

    Attributes:
        certificate: its certificate, in PEM.
    """

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = folder / "ca.key"
        self.certificate = folder / "ca.pem"
        openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-subj", f"/CN={name}", "-days", DAYS,
            "-keyout", str(self._key), "-out", str(self.certificate),
        )  # fmt: skip

    def issue(self, name: str, *, host: str | None = None, expired: bool = False) -> tuple[Path, Path]:
        """The key and the certificate of `name`, in PEM; for a server also with its host name or address."""
        key, request, certificate = (self._folder / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        openssl(
            "req", "-newkey", "rsa:2048", "-noenc", "-subj", f"/CN={name}",
            "-keyout", str(key), "-out", str(request),
        )  # fmt: skip
        kind = "IP" if host and host[0].isdigit() else "DNS"
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={kind}:{host}\n" if host else "keyUsage=digitalSignature\n")
        days = "-1" if expired else DAYS
        openssl(
            "x509", "-req", "-in", str(request), "-CA", str(self.certificate), "-CAkey", str(self._key),
            "-CAcreateserial", "-days", days, "-extfile", str(extensions), "-out", str(certificate),
        )  # fmt: skip
        return key, certificate


def keystore(folder: Path, key: Path, certificate: Path) -> Path:
    """Key and certificate in one file, as Kafka reads them (`ssl.keystore.type=PEM`)."""
    pkcs8 = openssl("pkcs8", "-topk8", "-nocrypt", "-in", str(key))
    store = folder / f"{certificate.stem}.store.pem"
    store.write_bytes(pkcs8 + certificate.read_bytes())
    return store


def unsecured_token(subject: str, lifetime: float = 3600) -> str:
    """A token that is not signed, as Kafka's own validator for development takes it."""
    return f"{_part({'alg': 'none'})}.{_part(_claims(subject, lifetime))}."


class TokenSigner:
    """Signs tokens (RS256), as an identity provider does.

    Attributes:
        jwks: the file with its public key, in the form that validators read.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._key = folder / "tokens.key"
        openssl("genrsa", "-out", str(self._key), "2048")
        modulus = (
            openssl("rsa", "-in", str(self._key), "-noout", "-modulus").decode().strip().partition("=")[2]
        )
        key = {"kty": "RSA", "kid": "k1", "use": "sig", "alg": "RS256", "e": "AQAB"}
        self.jwks = folder / "jwks.json"
        self.jwks.write_text(json.dumps({"keys": [{**key, "n": _base64(bytes.fromhex(modulus))}]}))

    def token(self, subject: str, lifetime: float = 3600) -> str:
        """A signed token."""
        text = f"{_part({'alg': 'RS256', 'typ': 'JWT', 'kid': 'k1'})}.{_part(_claims(subject, lifetime))}"
        signature = openssl("dgst", "-sha256", "-sign", str(self._key), stdin=text.encode())
        return f"{text}.{_base64(signature)}"


def _claims(subject: str, lifetime: float) -> dict[str, object]:
    now = int(time.time())
    return {
        "sub": subject,
        "iat": now,
        "exp": int(now + lifetime),
        "aud": "kafka",
        "iss": "tests",
        "scope": "kafka",
    }


def _part(content: dict[str, object]) -> str:
    return _base64(json.dumps(content).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
