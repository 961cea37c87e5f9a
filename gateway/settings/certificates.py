"""Certificates and keys that the configuration names: looked at when it is loaded, so that nobody meets a bad one."""

import os
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.settings.files import MISSING, Files
from gateway.settings.problems import SettingsProblem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

    from gateway.settings.models import Settings

Location = tuple[str, ...]
Pair = tuple[Path, Path]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SOON = timedelta(days=14)
_PAIRS: tuple[Location, ...] = (("tls",), ("upstream", "tls"))
_CA: Location = ("upstream", "tls", "ca")


class _Unfit(Exception):  # noqa: N818  (what the file is)
    """What is wrong with a file, at the key that names it."""

    def __init__(self, at: Location, message: str) -> None:
        super().__init__(message)
        self.at = at


def pair_of(settings: "Settings", *section: str) -> Pair | None:
    """The files of certificate and key that ``section``, such as ``upstream, tls``, names; ``None``: none."""
    cert, key = file_of(settings, *section, "cert"), file_of(settings, *section, "key")
    return None if cert is None or key is None else (cert, key)


def file_of(settings: "Settings", *location: str) -> Path | None:
    """The file that the key at ``location`` names: a relative one is beside the YAML file that says so."""
    value: object = settings
    for step in location:
        value = getattr(value, step, None)
    return Path(settings.source.place(*location).file).parent / value if isinstance(value, str) else None


def digests_of(settings: "Settings", *section: str) -> tuple[str, ...]:
    """What was in the files that ``section`` names when they were loaded: it differs as soon as one of them does."""
    paths = (file_of(settings, *section, key) for key in ("cert", "key", "ca"))
    found = settings.source.digests
    return tuple(found.get(os.path.abspath(path), MISSING) for path in paths if path is not None)  # noqa: PTH100


def problems(settings: "Settings", files: Files) -> list[SettingsProblem]:
    """Why the files cannot be used. They are read through ``files``, so that a change in one of them is noticed."""
    found = []
    for section in _PAIRS:
        found += list(_of_pair(settings, section, files))
    if (ca := file_of(settings, *_CA)) is not None:
        try:
            _certificates(_read(ca, _CA, files), _CA)
        except _Unfit as unfit:
            found.append(unfit)
    return [SettingsProblem(settings.source.place(*unfit.at), ".".join(unfit.at), str(unfit)) for unfit in found]


def _of_pair(settings: "Settings", section: Location, files: Files) -> Iterator[_Unfit]:
    pair = pair_of(settings, *section)
    if pair is None:
        return
    at_cert, at_key = (*section, "cert"), (*section, "key")
    certificate = key = None
    try:
        certificate = _certificates(_read(pair[0], at_cert, files), at_cert)[0]
    except _Unfit as unfit:
        yield unfit
    try:
        key = _private_key(_read(pair[1], at_key, files), at_key)
    except _Unfit as unfit:
        yield unfit
    if certificate is None or key is None:
        return
    if not _of_one_pair(certificate, key):
        yield _Unfit(at_key, f"is not the key of the first certificate in {'.'.join(at_cert)}")
    elif (reason := _refusal(pair)) is not None:
        yield _Unfit(at_cert, f"cannot be used: {reason}")


def _read(path: Path, at: Location, files: Files) -> bytes:
    try:
        return files.read(path)
    except OSError as error:
        raise _Unfit(at, f"the file {path} cannot be read: {error.strerror}") from None


def _certificates(pem: bytes, at: Location) -> "list[Certificate]":
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415  (9 MB, only for who has certificates)

    try:
        return load_pem_x509_certificates(pem)
    except ValueError:
        raise _Unfit(at, "the file holds no certificate in PEM") from None


def _private_key(pem: bytes, at: Location) -> "PrivateKeyTypes":
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  (see above)
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        return load_pem_private_key(pem, password=None)
    except TypeError:
        raise _Unfit(at, "the key is encrypted, and nobody is there to type its password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _Unfit(at, "the file holds no private key in PEM") from None


def _of_one_pair(certificate: "Certificate", key: "PrivateKeyTypes") -> bool:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415  (see above)

    as_der = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    return certificate.public_key().public_bytes(*as_der) == key.public_key().public_bytes(*as_der)


def _refusal(pair: Pair) -> str | None:
    """What TLS itself says against the two, for instance that the key is too short."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*pair)
    except OSError as error:
        return getattr(error, "reason", None) or error.strerror
    return None


def expiries(settings: "Settings") -> dict[str, int]:
    """Key → until when its certificate is good, in microseconds since 1970. Unreadable ones are left out."""
    return {
        key: (certificate.not_valid_after_utc - _EPOCH) // timedelta(microseconds=1)
        for key, certificate in _shown(settings)
    }


def _shown(settings: "Settings") -> Iterator[tuple[str, "Certificate"]]:
    """The key of each certificate that we show to others, or trust, and the certificate."""
    for at in (*((*section, "cert") for section in _PAIRS), _CA):
        path = file_of(settings, *at)
        if path is not None:
            try:
                yield ".".join(at), _certificates(_read(path, at, Files()), at)[0]
            except _Unfit:
                continue


def cautions(settings: "Settings", now_us: int) -> list[str]:
    """A sentence for each certificate that is not good now, or not for long."""
    found, now = [], _EPOCH + timedelta(microseconds=now_us)
    for key, certificate in _shown(settings):
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if last <= now:
            found.append(f"{key}: the certificate expired on {last:%Y-%m-%d}: nobody who looks will connect.")
        elif first > now:
            found.append(f"{key}: the certificate is not good before {first:%Y-%m-%d %H:%M} UTC.")
        elif last - now < _SOON:
            found.append(f"{key}: the certificate expires on {last:%Y-%m-%d}.")
    return found


def refuse_expired(before: Mapping[str, int], after: Mapping[str, int], now_us: int) -> None:
    """Do not put an expired certificate in the place of one that is still good. Raises ``ValueError``.

    Both: ``expiries``. To start with an expired one is allowed: a load balancer in front may not look at it.
    """
    for key, until_us in after.items():
        if until_us <= now_us < before.get(key, 0):
            day = _EPOCH + timedelta(microseconds=until_us)
            raise ValueError(f"{key}: the new certificate expired on {day:%Y-%m-%d}")
