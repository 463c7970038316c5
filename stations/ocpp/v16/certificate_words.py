"""Words of certificates in OCPP 1.6 against those of the domain (white paper chapter 6)."""

from stations.models import RootUse

# Our word -> that of 1.6; what is not here is Plug & Charge, which travels inside DataTransfer.
USES: dict[str, str] = {
    RootUse.CSMS: "CentralSystemRootCertificate",
    RootUse.MANUFACTURER: "ManufacturerRootCertificate",
}
