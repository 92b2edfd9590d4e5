"""The manifest of a package, with the digests of its files, and the certificate that signs it (DSP0243 2.1, section 6).

Layer rule: imports `errors` of this package.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import BinaryIO

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from virtcim.images.appliances.errors import ApplianceError
from virtcim.immutable import immutable

__all__ = ["Digest", "Signature", "check_digest", "digest_of", "read_manifest", "read_signature", "write_manifest"]

_LINE = re.compile(r"(?P<algorithm>[A-Za-z0-9-]+) ?\((?P<name>.+)\) ?= ?(?P<digest>[0-9A-Fa-f]+)\s*")
_ALGORITHMS = {"sha1": "sha1", "sha256": "sha256", "sha512": "sha512"}
_CHUNK = 1 << 20


@immutable
class Digest:
    """What the bytes of a file come to.

    Attributes:
        algorithm: `sha1`, `sha256` or `sha512`.
        value: in hexadecimal digits, small letters.
    """

    algorithm: str
    value: str


@immutable
class Signature:
    """Who signed a manifest.

    That the signature is of this certificate is known; whether the certificate can be trusted is not asked.

    Attributes:
        subject, issuer: distinguished names.
        not_before, not_after: ISO 8601.
    """

    subject: str
    issuer: str
    not_before: str
    not_after: str


def read_manifest(data: bytes) -> dict[str, Digest]:
    """Read the digests by the names of their files.

    Raises:
        ApplianceError: it is no manifest, or has a digest that is not known.
    """
    found: dict[str, Digest] = {}
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ApplianceError("manifest: is no text; expected lines such as SHA256(name)= digest") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line)
        algorithm = _ALGORITHMS.get(match["algorithm"].lower().replace("-", "")) if match else None
        if match is None or algorithm is None:
            raise ApplianceError(f"manifest: line {number} cannot be read; expected such as SHA256(name)= digest")
        if match["name"] in found:
            raise ApplianceError(f"manifest: names {match['name'][:80]!r} twice; expected one digest for each file")
        found[match["name"]] = Digest(algorithm, match["digest"].lower())
    return found


def write_manifest(digests: Mapping[str, Digest]) -> bytes:
    """Write a manifest."""
    lines = (f"{each.algorithm.upper()}({name})= {each.value}\n" for name, each in digests.items())
    return "".join(lines).encode()


def digest_of(data: BinaryIO, algorithm: str, checkpoint: Callable[[], object] = lambda: None) -> Digest:
    """Compute the digest of what a file holds.

    Parameters:
        checkpoint: called for every megabyte; ends it by raising.
    """
    found = hashlib.new(algorithm, usedforsecurity=False)
    while chunk := data.read(_CHUNK):
        checkpoint()
        found.update(chunk)
    return Digest(algorithm, found.hexdigest())


def check_digest(name: str, data: BinaryIO, wanted: Digest, checkpoint: Callable[[], object] = lambda: None) -> None:
    """Compare a file with what the manifest says of it.

    Raises:
        ApplianceError: it is another one.
    """
    found = digest_of(data, wanted.algorithm, checkpoint)
    if found != wanted:
        raise ApplianceError(f"file {name!r}: has {found.algorithm} {found.value}; expected {wanted.value}")


def read_signature(data: bytes, manifest: bytes) -> Signature:
    """Read the certificate of a package, and check its signature of the manifest.

    Parameters:
        data: the file: a line with the signature, and the certificate in PEM.
        manifest: that is signed.

    Raises:
        ApplianceError: the signature is not of that manifest, or the file cannot be read.
    """
    # Here, since few appliances are signed, and a server that reads none need not load it.
    from cryptography.hazmat.primitives import hashes

    algorithms: Mapping[str, hashes.HashAlgorithm] = {
        "sha1": hashes.SHA1(),
        "sha256": hashes.SHA256(),
        "sha512": hashes.SHA512(),
    }
    line, _, _ = data.partition(b"\n")
    try:
        match = _LINE.fullmatch(line.decode("ascii").rstrip("\r"))
        certificate = x509.load_pem_x509_certificate(data[data.index(b"-----BEGIN") :])
        algorithm = None if match is None else _ALGORITHMS.get(match["algorithm"].lower().replace("-", ""))
        if match is None or algorithm is None:
            raise ValueError("no signature")
        signature = bytes.fromhex(match["digest"])
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise ApplianceError("certificate: cannot be read; expected a signature and a certificate in PEM") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise ApplianceError("certificate: has no RSA key; expected one")
    try:
        key.verify(signature, manifest, padding.PKCS1v15(), algorithms[algorithm])
    except InvalidSignature:
        raise ApplianceError("certificate: its signature is not of this manifest") from None
    return Signature(
        certificate.subject.rfc4514_string(),
        certificate.issuer.rfc4514_string(),
        certificate.not_valid_before_utc.isoformat(),
        certificate.not_valid_after_utc.isoformat(),
    )
