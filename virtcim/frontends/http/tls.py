"""TLS: the settings, the context that is made from them, and the users that client certificates stand for."""

from __future__ import annotations

import logging
import re
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from virtcim.cimom.indications.settings import check_pair
from virtcim.cimom.principals import Mechanism, Principal
from virtcim.frontends.http.stamps import stamps_of
from virtcim.immutable import immutable

__all__ = ["CertificateUser", "TLSSettings", "TLSState", "certificate_principal", "make_context"]

log = logging.getLogger(__name__)

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
"""For TLS 1.2: forward secrecy and authenticated encryption only.  TLS 1.3 has nothing else."""

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

SUBJECT_FIELDS = {"CN": "commonName", "O": "organizationName", "OU": "organizationalUnitName", "UID": "userId"}
ALTERNATIVE_FIELDS = {"DNS": "DNS", "EMAIL": "email", "URI": "URI", "IP": "IP Address"}

MAX_VALUE = 512
"""Characters of a value that rules look at: names have 64 at most (RFC 5280), and the pattern of a rule may be slow."""


@immutable
class CertificateUser:
    r"""One rule from a client certificate to a user, an entry of `[[tls.users]]`.

    Attributes:
        field: what of the certificate is looked at: CN, O, OU or UID of the subject, or DNS, EMAIL, URI or IP of the
            subject's alternative names.
        match: regular expression that the whole value has to match.
        user: name of the user; `\1` stands for the first group of `match`.
    """

    field: str
    match: str
    user: str

    def __post_init__(self) -> None:
        if self.field.upper() not in {*SUBJECT_FIELDS, *ALTERNATIVE_FIELDS}:
            raise ValueError(
                f"field {self.field!r}: is not known; expected {', '.join([*SUBJECT_FIELDS, *ALTERNATIVE_FIELDS])}"
            )
        if not self.user:
            raise ValueError("user: is empty; expected a name, or a group of match such as '\\1'")
        try:
            groups = re.compile(self.match).groups
            re.compile("()" * groups).match("").expand(self.user)  # type: ignore[union-attr]
        except (re.error, IndexError) as exc:
            raise ValueError(
                f"match {self.match!r} and user {self.user!r}: {exc}; expected a regular expression, and "
                "groups that it has"
            ) from None

    def principal(self, values: Iterable[str]) -> Principal | None:
        """The user that the values of `field` stand for."""
        for value in values:
            found = re.fullmatch(self.match, value) if len(value) <= MAX_VALUE else None
            if found is None:
                continue
            user = found.expand(self.user)
            if user and user.isprintable():
                return Principal(user, Mechanism.CERTIFICATE)
        return None


@immutable
class TLSSettings:
    """The table `[tls]`.

    Attributes:
        certificate: PEM file with the certificate and those between it and the authority; without it, the pair that
            `virtcim certificate` made in the state directory.
        key: PEM file with the private key, without a passphrase.
        self_signed: make a self-signed pair in the state directory, when there is none yet.
        minimum_version: "1.2" or "1.3".
        ciphers: for TLS 1.2, as OpenSSL writes them.
        client_ca: PEM file with the authorities whose client certificates are taken; without it none is asked for.
        client_crl: PEM file with the authorities' revocation lists; without a valid list no certificate is taken.
        client_certificates: "optional" or "required".
        users: which certificate stands for which user; the first rule that fits counts.
        check_seconds: seconds between two looks at whether the files have changed.
    """

    certificate: Path | None = None
    key: Path | None = None
    self_signed: bool = False
    minimum_version: str = "1.2"
    ciphers: str = CIPHERS
    client_ca: Path | None = None
    client_crl: Path | None = None
    client_certificates: str = "optional"
    users: tuple[CertificateUser, ...] = ()
    check_seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.minimum_version not in VERSIONS:
            raise ValueError(
                f"minimum_version {self.minimum_version!r}: is not supported; expected {' or '.join(VERSIONS)}"
            )
        if self.client_certificates not in {"optional", "required"}:
            raise ValueError(
                f"client_certificates {self.client_certificates!r}: is not known; expected 'optional' or 'required'"
            )
        check_pair(self.certificate, self.key)
        if self.client_ca is None and (self.client_certificates == "required" or self.users or self.client_crl):
            raise ValueError("client_ca: is missing; expected the authorities of clients' certificates")
        if self.check_seconds <= 0:
            raise ValueError(f"check_seconds is {self.check_seconds}; expected more than 0 s")

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that a context is made from."""
        return tuple(each for each in (self.certificate, self.key, self.client_ca, self.client_crl) if each is not None)


def make_context(settings: TLSSettings) -> ssl.SSLContext:
    """A server's context.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file does not hold what it should, the key does not belong to the certificate, or the cipher
            list is none; the text names the file.
    """
    if settings.certificate is None or settings.key is None:
        raise ValueError("tls: certificate and key are missing; expected the paths of both")
    for file in settings.files:
        file.open("rb").close()  # the ssl module would not name the file
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[settings.minimum_version]
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    context.sslobject_class = _Session
    try:
        context.set_ciphers(settings.ciphers)
    except ssl.SSLError as exc:
        raise ValueError(f"tls.ciphers {settings.ciphers!r}: {exc}; expected a list as of `openssl ciphers`") from exc
    try:
        # A passphrase would be asked for on the terminal, of which a server has none.
        context.load_cert_chain(settings.certificate, settings.key, password=_no_passphrase)
    except ssl.SSLError as exc:
        raise ValueError(
            f"certificate {settings.certificate} with key {settings.key}: {exc}; expected PEM, and "
            "the key of this certificate"
        ) from exc
    if settings.client_ca is not None:
        required = settings.client_certificates == "required"
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        _load_authorities(context, settings.client_ca)
        if settings.client_crl is not None:
            _load_authorities(context, settings.client_crl)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


class _Session(ssl.SSLObject):
    """One connection; a certificate with names that are no text ends it, as one that is not verified does."""

    def getpeercert(self, binary_form: bool = False) -> Any:
        try:
            return super().getpeercert(binary_form)
        except ValueError as error:
            raise ssl.SSLError(f"the client's certificate has a name that cannot be read: {error}") from error


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase, which a server cannot ask for; expected a key without")


def _load_authorities(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_verify_locations(file)
    except ssl.SSLError as exc:
        raise ValueError(f"{file}: {exc}; expected PEM") from exc


class TLSState:
    """The context in use, made anew when a file has changed.

    Parameters:
        settings: with certificate and key.

    Raises:
        OSError, ValueError: as `make_context`.

    Attributes:
        context: for new connections.
        users: from certificates to users.
    """

    def __init__(self, settings: TLSSettings) -> None:
        self._settings = settings
        self._stamps = stamps_of(settings.files)
        self.context = make_context(settings)
        self.users = settings.users
        self.check_seconds = settings.check_seconds

    def reload(self, force: bool = False) -> bool:
        """Read the files again, if one has changed or `force` is set; when they do not fit, what was stays in use.

        Returns:
            whether there is a new context.
        """
        stamps = stamps_of(self._settings.files)
        if stamps == self._stamps and not force:
            return False
        self._stamps = stamps
        try:
            self.context = make_context(self._settings)
        except (OSError, ValueError) as exc:
            log.error("The certificates cannot be read again, so the old ones stay in use: %s", exc)
            return False
        log.info("The certificates were read again")
        return True


def certificate_principal(rules: Iterable[CertificateUser], certificate: Mapping[str, Any]) -> Principal | None:
    """The user that a client certificate stands for.

    Parameters:
        certificate: verified, as `ssl.SSLSocket.getpeercert` has it.

    Returns:
        None when no rule fits, or the certificate has expired since it was shown.
    """
    if ssl.cert_time_to_seconds(certificate["notAfter"]) < time.time():
        return None
    for rule in rules:
        principal = rule.principal(_values(certificate, rule.field.upper()))
        if principal is not None:
            return principal
    return None


def _values(certificate: Mapping[str, Any], field: str) -> Iterator[str]:
    if field in SUBJECT_FIELDS:
        wanted = SUBJECT_FIELDS[field]
        for relative in certificate.get("subject", ()):
            yield from (value for name, value in relative if name == wanted)
    else:
        wanted = ALTERNATIVE_FIELDS[field]
        yield from (value for name, value in certificate.get("subjectAltName", ()) if name == wanted)
