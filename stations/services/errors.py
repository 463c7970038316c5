"""Domain facts that callers translate at their own border (CALLERROR, HTTP, form errors)."""


class StationsError(Exception):
    """Base of what can go wrong in the charging network."""


class InvalidIdentity(StationsError):
    """The identity cannot be the last part of an OCPP URL: 1 to 48 printable characters without `/`, `:` or space."""


class InvalidPassword(StationsError):
    """The password does not fit the charger's limits: 16 to 40 printable characters."""


class StationOffline(StationsError):
    """The station is not connected, and the command was not meant to wait for it."""


class UnknownAction(StationsError):
    """The station's OCPP version has no such request from CSMS to station."""


class InvalidPayload(StationsError):
    """The payload does not fit the action's schema. `path` names the place, such as `connectorId`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


class UnknownQuirk(InvalidPayload):
    """There is no such quirk flag, or it cannot have this value."""


class NotConfirmed(StationsError):
    """The configuration key is guarded: a wrong value can cut the station off."""


class SecretKey(StationsError):
    """The configuration key holds a secret: its value is kept nowhere, so nothing can be wished for it."""


class InvalidReservation(InvalidPayload):
    """The reservation cannot be: it ends in the past, or names what the station does not have."""


class NotOpen(StationsError):
    """The command, session or reservation has already ended."""


class InvalidToken(StationsError):
    """What was shown cannot be a token: it is too long."""


class UnknownLink(StationsError):
    """There is no such link for files, or it goes the other way."""


class LinkGone(StationsError):
    """The link was used, taken back or has expired; or its file is gone."""


class FileTooLarge(StationsError):
    """The file is larger than a file may be."""


class NoSpace(StationsError):
    """The disk or the quota of all files is full."""


class InvalidFileName(StationsError):
    """The name leads out of its folder or cannot be shown."""


class ForbiddenLocation(InvalidPayload):
    """A station may not be sent to this address."""

    def __init__(self, message: str, path: str = "location") -> None:
        super().__init__(path, message)


class UntrustedFirmware(StationsError):
    """Nobody whom we trust vouches for the firmware: a wrong hash, signature or signer."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class UnsuitableFirmware(StationsError):
    """The image is not one for this station: another vendor or model, not checked, or taken back."""


class UnsuitedProfile(InvalidPayload):
    """The charging profile breaks a rule of the specification, or is more than the station says it can hold."""


class DoesNotFit(StationsError):
    """The stop cannot be the end of this session."""


class NotEnded(StationsError):
    """The session still runs: its figures are not final."""


class ImplausibleEnergy(StationsError):
    """An energy that no session can have: negative, or more than any meter counts."""


class NoLocalList(StationsError):
    """The station shall have no local authorization list, so none can be sent."""


class ChangeUnderWay(StationsError):
    """The station's password or security profile is being changed already."""


class LowerProfile(StationsError):
    """A security profile is never lowered over OCPP (A00.FR.005): an operator does it at the station and here."""


class NoRoot(StationsError):
    """There is no root certificate that the station could be given."""


class UpdateUnderWay(StationsError):
    """Another firmware update is on its way to the station."""


class AliasTaken(StationsError):
    """This spelling is an identity or another station's alias already."""


class NotDisplayable(StationsError):
    """The station says that its display cannot show this message."""


class NoSlot(StationsError):
    """The station has no slot for another network profile, or never told which it has (2.1 B09)."""


class InvalidSite(StationsError):
    """A power tree that cannot be; `faults` are (path, sentence)."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(text for _, text in faults))
        self.faults = faults
