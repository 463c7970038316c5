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
