"""A self-signed certificate, for those who have no authority yet."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from virtcim.app.apart import run_apart
from virtcim.files import write_anew
from virtcim.frontends.http.tls import TLSSettings
from virtcim.libhelper.host import qualified_name

if TYPE_CHECKING:
    from cryptography.x509 import GeneralName

__all__ = ["CERTIFICATE", "KEY", "default_names", "make_pair", "with_pair"]

CERTIFICATE = "certificate.pem"
KEY = "key.pem"

VALID_DAYS = 365

CLOCK_SKEW = datetime.timedelta(hours=1)
"""How far a client's clock may be behind for it to take a certificate made just now."""


LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


def default_names() -> list[str]:
    """By what clients reach this host: its names, and the loopback addresses."""
    name = socket.gethostname()
    return list(dict.fromkeys([qualified_name(name), name, *LOCAL_NAMES]))


def with_pair(settings: TLSSettings, state_dir: Path) -> TLSSettings:
    """The settings with a certificate: the one that is configured, else the pair in the state directory, which is
    made first when that is wanted and there is none.

    Raises:
        OSError: the pair cannot be made.
        ValueError: there is none, and it is not to be made.
    """
    if settings.certificate is not None:
        return settings
    certificate, key = state_dir / CERTIFICATE, state_dir / KEY
    if not (certificate.exists() and key.exists()):
        if not settings.self_signed:
            raise ValueError(
                "there is no certificate for HTTPS; expected tls.certificate with tls.key, or a pair that signs "
                "itself, made by `virtcim certificate` or --tls self-signed"
            )
        run_apart("certificate", "--force", "--directory", str(state_dir))
        if not (certificate.exists() and key.exists()):
            # Here it is told what is wrong.
            make_pair(state_dir, default_names())
    return dataclasses.replace(settings, certificate=certificate, key=key)


def make_pair(directory: Path, names: Sequence[str], days: int = VALID_DAYS) -> tuple[Path, Path]:
    """Make a key (ECDSA, P-256) and a certificate that signs itself; a pair that is there is replaced.

    Parameters:
        directory: where to; made with mode 0700 when it is missing.
        names: host names and addresses by which clients reach the server; the first is the subject's.
        days: for which it is valid.

    Returns:
        certificate and key.

    Raises:
        OSError: a file cannot be written.
        ValueError: a name is none.
    """
    from cryptography import x509  # here, since loading it takes longer than the rest of a start
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    if not names:
        raise ValueError("a certificate needs a name")
    if days < 1:
        raise ValueError("a certificate is valid for a day at least")
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0][:64])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(names)]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), False)
        .sign(private, hashes.SHA256())
    )
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_file, certificate_file = directory / KEY, directory / CERTIFICATE
    write_anew(
        key_file,
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )
    write_anew(certificate_file, certificate.public_bytes(serialization.Encoding.PEM).decode(), 0o644)
    return certificate_file, key_file


def _general_name(name: str) -> GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode() if not name.isascii() else name)
