"""Roots that we know: our authority's own, makers' and vehicles', to be installed in stations or to be trusted."""

from cryptography import x509
from django.db import transaction

from cpo.lib import clock
from stations.models import InstalledCertificate, RootCertificate, RootUse, SigningUse
from stations.pki import certificates as x
from stations.pki import chains
from stations.services import certificate_authority
from stations.services.certificate_authority import AuthorityRefused, AuthorityUnavailable
from stations.services.errors import InvalidPayload, NotConfirmed

MAX_CERTIFICATE = (
    10_000  # characters of InstallCertificate in 2.1; 5500 in older versions, which their schemas hold
)
OF_AUTHORITY = {
    SigningUse.CHARGING_STATION: RootUse.CSMS, SigningUse.V2G: RootUse.V2G, SigningUse.V2G20: RootUse.V2G,
}  # fmt: skip


@transaction.atomic(savepoint=False)
def add(text: str, *, use: str, name: str = "", is_trusted: bool = False, by: str = "") -> RootCertificate:
    """Keep a root; one that is known already is returned with its new name and trust.

    `is_trusted`: client certificates under it open connections, such as those that makers give their stations.
    Raise `InvalidPayload` for what is no certificate of an authority that is valid now.
    """
    if use not in RootUse.values:
        raise InvalidPayload("use", f"one of {', '.join(RootUse.values)}")
    certificate = check(text)
    row, _ = RootCertificate.objects.update_or_create(
        use=use,
        fingerprint=x.fingerprint(certificate),
        defaults={"name": name[:100], "is_trusted": is_trusted, "added_by": by[:100]},
        create_defaults={
            **_facts(certificate),
            "name": name[:100],
            "is_trusted": is_trusted,
            "added_by": by[:100],
        },
    )
    return row


def check(text: str) -> x509.Certificate:
    """Return the one certificate of the text; raise `InvalidPayload` with what is wrong with it."""
    try:
        found = x.read(text)
    except x.Unreadable as error:
        raise InvalidPayload("certificate", str(error)) from error
    certificate = found[0]
    if len(found) > 1:
        raise InvalidPayload("certificate", "one certificate, not a chain")
    if len(x.pem(certificate)) > MAX_CERTIFICATE:
        raise InvalidPayload("certificate", f"longer than the {MAX_CERTIFICATE} characters that OCPP allows")
    if not chains.is_authority(certificate):
        raise InvalidPayload("certificate", "not a certificate of an authority")
    if not x.is_strong(certificate.public_key()):
        raise InvalidPayload("certificate", f"its key is too weak: {x.key_label(certificate.public_key())}")
    if certificate.not_valid_after_utc <= clock.now():
        raise InvalidPayload("certificate", f"it expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    return certificate


@transaction.atomic(savepoint=False)
def remove(root: RootCertificate, *, confirmed: bool = False) -> None:
    """Forget a root; stations keep it. Raise `NotConfirmed` where connections or our own authority rest on it."""
    if root.is_own:
        raise NotConfirmed("it is our authority's own root: it stays known")
    if root.is_trusted and not confirmed:
        raise NotConfirmed("stations with certificates under it could not connect any more: confirm it")
    root.delete()


@transaction.atomic(savepoint=False)
def keep_own() -> int:
    """Keep the roots of our authority among those that are known; return how many are new."""
    fresh = 0
    for use, root_use in OF_AUTHORITY.items():
        try:
            found = certificate_authority.current().roots(use)
        except (AuthorityRefused, AuthorityUnavailable):
            continue  # the next sweep asks again
        for certificate in found:
            _, created = RootCertificate.objects.update_or_create(
                use=root_use,
                fingerprint=x.fingerprint(certificate),
                defaults={"is_own": True},
                create_defaults={
                    **_facts(certificate),
                    "is_own": True,
                    "name": _short(certificate),
                },
            )
            fresh += created
    return fresh


def installed_in(root: RootCertificate) -> int:
    """Return in how many stations a root was reported."""
    return InstalledCertificate.objects.filter(root=root).values("station").distinct().count()


def _short(certificate: x509.Certificate) -> str:
    """Name a root as people call it: its CN, if it has one."""
    return (x.common_names(certificate.subject) or [x.label(certificate.subject)])[0][:100]


def _facts(certificate: x509.Certificate) -> dict[str, object]:
    return {
        "certificate": x.pem(certificate),
        "subject": x.label(certificate.subject)[:255],
        "serial_number": x.serial_hex(certificate),
        "not_before": certificate.not_valid_before_utc,
        "not_after": certificate.not_valid_after_utc,
    }
