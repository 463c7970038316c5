"""What the requests to stations do, in an operator's words."""

from typing import Any

from django.utils.translation import gettext_lazy as _

# What an action does, said before it is sent. An action without words has no form; the API takes it all the same.
WORDS: dict[str, Any] = {
    "CancelReservation": _("Frees a reserved connector before the reservation ends by itself."),
    "CertificateSigned": _("Hands the station the certificate chain that it asked for, signed, leaf first."),
    "ChangeAvailability": _(
        "Puts a connector, or with connector 0 the whole station, into or out of service. A running session ends first."
    ),
    "ChangeConfiguration": _(
        "Sets one configuration key. Some take effect only after a restart: the answer then is RebootRequired."
    ),
    "ClearCache": _("Empties the station's authorization cache; every token is asked about again."),
    "ClearChargingProfile": _("Removes charging profiles: one by its id, or all that fit the other fields."),
    "DataTransfer": _("Sends a vendor's own message. Its meaning is agreed with the vendor."),
    "DeleteCertificate": _("Removes an installed root certificate, named by its hashes."),
    "ExtendedTriggerMessage": _(
        "Asks the station to send a message now, a certificate request or log status included."
    ),
    "GetCompositeSchedule": _(
        "Asks what limit the station will apply for the coming seconds, all profiles together."
    ),
    "GetConfiguration": _("Reads configuration keys; all of them when no key is named."),
    "GetDiagnostics": _(
        "Asks the station to upload its diagnostics to a URL. The Logs tab makes the URL by itself."
    ),
    "GetInstalledCertificateIds": _("Asks which root certificates are installed."),
    "GetLocalListVersion": _("Asks for the version of the local list; 0 is an empty list, -1 none at all."),
    "GetLog": _(
        "Asks the station to upload its diagnostics or security log. The Logs tab makes the URL by itself."
    ),
    "InstallCertificate": _("Installs a root certificate: of this system, or of the maker."),
    "RemoteStartTransaction": _(
        "Starts a session for a token, as if the driver had shown it. The car must be plugged in soon."
    ),
    "RemoteStopTransaction": _("Ends a running session; the driver can unplug then."),
    "ReserveNow": _("Keeps a connector for one token until a time."),
    "Reset": _("Restarts the station. Soft ends sessions properly first; Hard restarts at once."),
    "SendLocalList": _(
        "Sends tokens that may charge while the station is offline. The list is kept in step by itself."
    ),
    "SetChargingProfile": _("Limits power or current for the station, a connector or a session."),
    "SignedUpdateFirmware": _(
        "Lets the station fetch and install a signed image. The Firmware tab fills this in."
    ),
    "TriggerMessage": _("Asks the station to send a message now: a status, readings, a Heartbeat."),
    "UnlockConnector": _("Opens the cable lock, for a driver who cannot unplug. Not meant to end a session."),
    "UpdateFirmware": _(
        "Lets the station fetch and install an image that nobody signed. The Firmware tab is safer."
    ),
}

# Where 2.x says the same with other members, or says something new.
WORDS_2X: dict[str, Any] = {
    "AFRRSignal": _("Hands on the grid operator's signal for automatic frequency restoration."),
    "AdjustPeriodicEventStream": _("Changes how often a stream of values is sent, and how many at once."),
    "CancelReservation": WORDS["CancelReservation"],
    "CertificateSigned": WORDS["CertificateSigned"],
    "ChangeAvailability": _(
        "Puts a connector, an EVSE or, when none is named, the whole station into or out of service. "
        "A running session ends first."
    ),
    "ChangeTransactionTariff": _("Gives a running session another tariff; the driver has agreed to it."),
    "ClearCache": WORDS["ClearCache"],
    "ClearChargingProfile": WORDS["ClearChargingProfile"],
    "ClearDERControl": _("Removes grid controls: one by its id, or all of a type."),
    "ClearDisplayMessage": _("Takes a message off the station's display."),
    "ClearTariffs": _("Removes tariffs from the station; all of them when none is named."),
    "ClearVariableMonitoring": _("Removes monitors of variables, one id per line."),
    "CostUpdated": _("Tells the driver at the display what a running session costs so far."),
    "CustomerInformation": _("Asks what the station has stored about a customer, or has it erased."),
    "DataTransfer": WORDS["DataTransfer"],
    "DeleteCertificate": WORDS["DeleteCertificate"],
    "GetBaseReport": _("Asks for all variables, all settings, or a summary; the answer comes in parts."),
    "GetChargingProfiles": _("Asks which charging profiles are installed; they come in parts."),
    "GetCompositeSchedule": WORDS["GetCompositeSchedule"],
    "GetDERControl": _("Asks which grid controls are set; they come in parts."),
    "GetDisplayMessages": _("Asks which messages are set for the display; they come in parts."),
    "GetInstalledCertificateIds": _("Asks which certificates are installed."),
    "GetLocalListVersion": _("Asks for the version of the local list; 0 is no list at all."),
    "GetLog": WORDS["GetLog"],
    "GetMonitoringReport": _("Asks which variables are monitored; the answer comes in parts."),
    "GetPeriodicEventStream": _("Asks which streams of values are open."),
    "GetReport": _("Asks for some variables, by component or by what is the matter with them."),
    "GetTariffs": _("Asks which tariffs are installed; EVSE 0 asks for all."),
    "GetTransactionStatus": _("Asks whether a session goes on and whether messages about it are waiting."),
    "GetVariables": _("Reads variables of the device model."),
    "InstallCertificate": WORDS["InstallCertificate"],
    "NotifyAllowedEnergyTransfer": _("Tells which ways of energy transfer a session may use from now on."),
    "NotifyWebPaymentStarted": _(
        "Tells that somebody pays for an EVSE on the web: nobody else starts there."
    ),
    "PublishFirmware": _("Lets a local controller fetch an image and offer it to the stations behind it."),
    "RequestBatterySwap": _("Starts a battery swap for a token."),
    "RequestStartTransaction": WORDS["RemoteStartTransaction"],
    "RequestStopTransaction": WORDS["RemoteStopTransaction"],
    "ReserveNow": _("Keeps an EVSE, or any with a kind of connector, for one token until a time."),
    "Reset": _(
        "Restarts the station or one EVSE. OnIdle waits until nobody charges; Immediate restarts at once."
    ),
    "SendLocalList": WORDS["SendLocalList"],
    "SetChargingProfile": _("Limits power or current for the station (EVSE 0), an EVSE or a session."),
    "SetDERControl": _("Sets a grid control: a curve, a limit or a way to behave at the grid."),
    "SetDefaultTariff": _("Sets the tariff for drivers who have none of their own; EVSE 0 is all of them."),
    "SetDisplayMessage": _("Shows a message on the station's display."),
    "SetMonitoringBase": _("Chooses which set of monitors is active."),
    "SetMonitoringLevel": _("Chooses how severe an event must be to be reported: 0 is danger, 9 is debug."),
    "SetNetworkProfile": _(
        "Stores how to connect in one of the station's slots; it is used when it is first."
    ),
    "SetVariableMonitoring": _("Watches variables: an event is sent when a value passes a limit."),
    "SetVariables": _("Sets variables of the device model. Some take effect only after a restart."),
    "TriggerMessage": WORDS["TriggerMessage"],
    "UnlockConnector": WORDS["UnlockConnector"],
    "UnpublishFirmware": _("Ends the offer of an image by a local controller, named by its checksum."),
    "UpdateDynamicSchedule": _("Changes the limits of a dynamic charging profile now."),
    "UpdateFirmware": _("Lets the station fetch and install an image. The Firmware tab fills this in."),
    "UsePriorityCharging": _("Lets a session charge before others, or ends that."),
}


def of(version: str) -> dict[str, Any]:
    """Return the actions of a version's family with their words."""
    return WORDS_2X if version.startswith("2") else WORDS
