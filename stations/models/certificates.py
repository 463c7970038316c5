"""Certificates: what our authority is, what it issued, what stations hold, which roots we know.

The words are those of OCPP 2.1: `ChargingStationCertificate` for TLS and `V2GCertificate` for vehicles, a
`CSMSRootCertificate` is what OCPP 1.6 calls CentralSystemRootCertificate. Serial numbers and hashes are lower-case hex.
"""

from django.db import models

from stations.models.locations import ChargingStation


class SigningUse(models.TextChoices):
    """What a station's own certificate is for (OCPP 2.1 CertificateSigningUseEnumType)."""

    CHARGING_STATION = "ChargingStationCertificate", "TLS to us"
    V2G = "V2GCertificate", "Plug & Charge"
    V2G20 = "V2G20Certificate", "Plug & Charge (ISO 15118-20)"
    COMBINED = "CombinedCertificate", "TLS to us and Plug & Charge"  # 2.x names it by leaving the type out


class RootUse(models.TextChoices):
    """What a root in a station is for (OCPP 2.1 InstallCertificateUseEnumType)."""

    CSMS = "CSMSRootCertificate", "Our server"
    MANUFACTURER = "ManufacturerRootCertificate", "Maker's firmware"
    V2G = "V2GRootCertificate", "Vehicles (V2G)"
    MO = "MORootCertificate", "Mobility operator"
    OEM = "OEMRootCertificate", "Vehicle maker"


class AuthorityCertificate(models.Model):
    """A certificate of our own authority with its private key, encrypted under FIELD_KEYS."""

    class Role(models.TextChoices):
        ROOT = "root", "Root"
        STATIONS = "stations", "Issuing: stations"
        RSA_ROOT = "rsa-root", "Root: RSA"
        RSA = "rsa", "Issuing: stations with RSA keys"
        V2G_ROOT = "v2g-root", "Root: V2G"
        V2G = "v2g", "Issuing: V2G"
        V2G20_ROOT = "v2g20-root", "Root: V2G of ISO 15118-20"
        V2G20 = "v2g20", "Issuing: V2G of ISO 15118-20"

    role = models.CharField(max_length=10, choices=Role.choices)
    generation = models.PositiveSmallIntegerField(default=1)  # the highest of a role signs
    certificate = models.TextField()  # PEM
    private_key = models.TextField()  # PEM, encrypted
    fingerprint = models.CharField(max_length=64, unique=True)
    subject = models.CharField(max_length=255)
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["role", "generation"], name="authority_generation")]

    def __str__(self) -> str:
        return self.subject


class RevokedCertificate(models.Model):
    """A certificate that must not be accepted any more, ours or another authority's; kept when its station is gone."""

    issuer_name_hash = models.CharField(max_length=64)  # SHA-256 of the DER of the issuer's name
    serial_number = models.CharField(max_length=40)
    reason = models.CharField(max_length=32, blank=True)  # RFC 5280 reason code's name
    revoked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer_name_hash", "serial_number"], name="revoked_once")
        ]


class RootCertificate(models.Model):
    """A root that we know: to be installed in stations, or to be trusted when they show a certificate."""

    use = models.CharField(max_length=32, choices=RootUse.choices)
    name = models.CharField(max_length=100, blank=True)
    certificate = models.TextField()  # PEM
    fingerprint = models.CharField(max_length=64)
    subject = models.CharField(max_length=255)
    serial_number = models.CharField(max_length=40)
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    is_own = models.BooleanField(default=False)  # of our certificate authority
    is_trusted = models.BooleanField(default=False)  # client certificates under it open connections
    added_by = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["use", "fingerprint"], name="root_once")]

    def __str__(self) -> str:
        return self.name or self.subject


class StationCertificate(models.Model):
    """A certificate of a station, from its request to its end."""

    class State(models.TextChoices):
        REQUESTED = "requested", "Requested"  # the authority has not answered yet
        REFUSED = "refused", "Not signed"  # by us or by the authority: see `problem`
        ISSUED = "issued", "Issued"  # waits to be sent
        SENT = "sent", "Sent"  # on its way, or sent and not answered
        ACCEPTED = "accepted", "Accepted"  # the station has it
        REJECTED = "rejected", "Rejected"  # the station does not want it
        IN_USE = "in_use", "In use"  # the station was seen with it
        REPLACED = "replaced", "Replaced"
        REVOKED = "revoked", "Revoked"
        EXPIRED = "expired", "Expired"

    OPEN = (State.REQUESTED, State.ISSUED, State.SENT)
    VALID = (State.ACCEPTED, State.IN_USE)
    CONNECTING = (SigningUse.CHARGING_STATION, SigningUse.COMBINED)  # uses with which a station connects

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="certificates")
    use = models.CharField(max_length=32, choices=SigningUse.choices, default=SigningUse.CHARGING_STATION)
    state = models.CharField(max_length=10, choices=State.choices, default=State.REQUESTED)
    csr = models.TextField()  # PEM
    key_fingerprint = models.CharField(max_length=64)  # SHA-256 of the public key
    common_name = models.CharField(max_length=100)
    organization = models.CharField(max_length=100, blank=True)
    key_label = models.CharField(max_length=32, blank=True)
    chain = models.TextField(blank=True)  # PEM, the leaf first, without the root
    serial_number = models.CharField(max_length=40, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    issuer = models.CharField(max_length=255, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    not_after = models.DateTimeField(null=True, blank=True)
    reference = models.CharField(max_length=255, blank=True)  # of an authority that answers later
    request_id = models.BigIntegerField(
        null=True, blank=True
    )  # the station's own number of its request (2.1)
    wanted_root = models.JSONField(null=True, blank=True)  # hash data of the root that it named (2.1)
    problem = models.CharField(max_length=255, blank=True)  # why it is not further
    tries = models.PositiveSmallIntegerField(default=0)  # at the authority, then towards the station
    next_try_at = models.DateTimeField(null=True, blank=True)
    requested_at = models.DateTimeField()
    issued_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)  # by the station
    seen_at = models.DateTimeField(null=True, blank=True)  # first shown by the station in a handshake
    revoked_at = models.DateTimeField(null=True, blank=True)
    renewal_asked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["station", "-id"], name="certificate_of_station"),
            models.Index(fields=["fingerprint"], name="certificate_fingerprint"),
            models.Index(
                fields=["next_try_at"],
                name="certificate_due",
                condition=models.Q(state__in=["requested", "issued", "sent", "rejected"]),
            ),
            models.Index(
                fields=["not_after"],
                name="certificate_expiry",
                condition=models.Q(state__in=["accepted", "in_use"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_use_display()} {self.serial_number}"

    @property
    def can_be_tried(self) -> bool:
        """True where somebody may send it, or have it signed, once more."""
        if self.chain:
            return self.state in (self.State.ISSUED, self.State.SENT, self.State.REJECTED)
        return bool(self.key_fingerprint) and self.state in (self.State.REQUESTED, self.State.REFUSED)

    @property
    def can_be_revoked(self) -> bool:
        """True for what was issued and may still be shown by somebody."""
        return bool(self.chain) and self.state not in (self.State.REVOKED, self.State.EXPIRED)


class InstalledCertificate(models.Model):
    """A root or chain that a station reported, named by its hash data (white paper M03, 2.1 M03)."""

    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, related_name="installed_certificates"
    )
    use = models.CharField(max_length=32)  # RootUse, or V2GCertificateChain for the station's own
    hash_algorithm = models.CharField(max_length=6)
    issuer_name_hash = models.CharField(max_length=128)
    issuer_key_hash = models.CharField(max_length=128)
    serial_number = models.CharField(max_length=40)
    parent = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="children"
    )  # the certificate whose chain it belongs to
    root = models.ForeignKey(
        RootCertificate, on_delete=models.SET_NULL, null=True, blank=True, related_name="installed"
    )  # the one of ours that it is
    reported_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "station", "use", "hash_algorithm", "issuer_name_hash", "issuer_key_hash", "serial_number",
                ],
                name="installed_once",
            )
        ]  # fmt: skip
        ordering = ["use", "id"]

    def __str__(self) -> str:
        return f"{self.use} {self.serial_number}"
