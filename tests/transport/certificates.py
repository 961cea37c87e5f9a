"""Certificates made for a test: an authority, and what it signs."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    cert: Path
    key: Path

    def take(self, other: "Pair") -> None:
        """Become a copy of ``other``, file by file, as a renewal does it."""
        self.cert.write_bytes(other.cert.read_bytes())
        self.key.write_bytes(other.key.read_bytes())


class Authority:
    """Signs; ``ca`` is its own certificate."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(self._name, self._name, self._key.public_key(), timedelta(0), 3650 * DAY)
        signed = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(sign_others=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, SHA256())
        )
        self.ca = folder / f"{name}.pem"
        self.ca.write_bytes(signed.public_bytes(Encoding.PEM))

    def issue(
        self,
        file: str,
        *names: str,
        good_for: timedelta = 365 * DAY,
        good_in: timedelta = timedelta(0),
        password: bytes | None = None,
    ) -> Pair:
        """A certificate for ``names`` (or addresses); ``good_for`` below zero: it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, file)])
        shown = [_general(name) for name in names or ("127.0.0.1",)]
        signed = (
            _builder(subject, self._name, key.public_key(), good_in, good_for)
            .add_extension(x509.SubjectAlternativeName(shown), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, SHA256())
        )
        pair = Pair(self._folder / f"{file}.pem", self._folder / f"{file}.key")
        pair.cert.write_bytes(signed.public_bytes(Encoding.PEM))
        lock: KeySerializationEncryption = NoEncryption() if password is None else BestAvailableEncryption(password)
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
        return pair


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, good_in: timedelta, good_for: timedelta
) -> x509.CertificateBuilder:
    first = datetime.now(UTC) - 30 * DAY + good_in
    last = datetime.now(UTC) + good_in + good_for
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(first if not good_in else datetime.now(UTC) + good_in)
        .not_valid_after(last)
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, sign_others: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_others,
        crl_sign=sign_others,
        encipher_only=False,
        decipher_only=False,
    )
