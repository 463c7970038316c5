"""How a state looks: icon, colour, word, and what to do next. One table for the whole console.

Colour is never the only sign: each look has an icon of its own shape and a word.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Look:
    """`tone` is a colour class of console.css: ok, live, info, warn, bad, idle."""

    icon: str
    tone: str
    word: Text
    next_step: Text = ""


CONNECTOR = {
    "Available": Look("circle-check", "ok", _("Available"), _("Ready for the next driver.")),
    "Preparing": Look(
        "plug", "info", _("Preparing"), _("A cable or a card is there; the other one is awaited.")
    ),
    "Charging": Look("bolt", "live", _("Charging"), _("Energy flows; see the live session.")),
    "SuspendedEV": Look(
        "player-pause", "info", _("Paused by car"), _("The car takes no energy, often because it is full.")
    ),
    "SuspendedEVSE": Look(
        "hand-stop",
        "warn",
        _("Paused by station"),
        _("The station offers no energy: look for a limit or a load profile."),
    ),
    "Finishing": Look("plug-connected", "info", _("Finishing"), _("The driver has yet to unplug.")),
    "Reserved": Look("lock", "info", _("Reserved"), _("Held for one driver.")),
    "Unavailable": Look(
        "ban", "idle", _("Out of service"), _("Send ChangeAvailability, type Operative, to open it again.")
    ),
    "Faulted": Look(
        "alert-triangle",
        "bad",
        _("Faulted"),
        _("Read the error code, then try a soft Reset; else send a technician."),
    ),
    "Occupied": Look("car", "info", _("Occupied"), _("In use.")),
    "Unknown": Look(
        "help-circle", "idle", _("Unknown"), _("No status yet: send TriggerMessage, StatusNotification.")
    ),
}

ONLINE = Look("wifi", "ok", _("Online"))
OFFLINE = Look("wifi-off", "bad", _("Offline"), _("Open the station: its verdict says why and what to do."))
NEVER = Look(
    "plug-off", "idle", _("Never connected"), _("Enter the connection card's values in the charger.")
)

SESSION = {
    "active": Look("bolt", "live", _("Charging")),
    "ended": Look("circle-check", "idle", _("Ended")),
}
NEEDS_REVIEW = Look("alert-triangle", "warn", _("Review"), _("Something in it makes no sense yet: open it."))

COMMAND = {
    "queued": Look("hourglass", "info", _("Waiting"), _("Waits for the station, or for the call before it.")),
    "sent": Look("send", "info", _("Sent"), _("On the wire; the station has not answered yet.")),
    "answered": Look("circle-check", "ok", _("Answered")),
    "failed": Look("circle-x", "bad", _("Failed"), _("The station answered with an error: read its code.")),
    "timed_out": Look(
        "clock",
        "warn",
        _("No answer"),
        _("Sent but not answered in time; check the station, then try again."),
    ),
    "expired": Look(
        "clock",
        "idle",
        _("Expired"),
        _("The station was not there in time; send it again once it is online."),
    ),
    "cancelled": Look("x", "idle", _("Cancelled")),
}

# A charger's own answer: these words of OCPP mean that it will not do it.
REFUSALS = frozenset(
    {
        "Rejected",
        "Failed",
        "Faulted",
        "Occupied",
        "Unavailable",
        "UnlockFailed",
        "NotSupported",
        "NotImplemented",
    }
    | {"UnknownMessageId", "UnknownVendorId", "UnknownVendor"}
)

# DER controls, grid signals, battery swaps, tariffs on stations, settlements.
DISPLAY = {
    "wanted": Look("hourglass", "info", _("Asked"), _("The station has not answered yet.")),
    "accepted": Look("check", "ok", _("There")),
    "refused": Look("hand-stop", "warn", _("Refused"), _("The station said no: its word is below.")),
    "unknown": Look("help-circle", "warn", _("Unknown"), _("No answer: read what lies there.")),
    "gone": Look("clock", "idle", _("Gone")),
    "missing": Look("alert-triangle", "warn", _("Missing"), _("It was there: send it again.")),
    "different": Look(
        "alert-triangle", "warn", _("Different"), _("The station shows another one: send it again.")
    ),
    "still_there": Look("alert-triangle", "warn", _("Still there"), _("It should be gone: clear it again.")),
    "unasked": Look("help-circle", "info", _("Not ours"), _("Nobody here wrote it.")),
}

DISPLAY_REPORT = {
    "asked": Look("hourglass", "info", _("Asked"), _("The station has not answered yet.")),
    "receiving": Look("hourglass", "info", _("Coming in")),
    "complete": Look("check", "ok", _("Complete")),
    "incomplete": Look("alert-triangle", "warn", _("Incomplete"), _("Parts are missing: read again.")),
    "empty": Look("check", "ok", _("Nothing there")),
    "unanswered": Look("alert-triangle", "warn", _("No answer"), _("Read again, or look at its connection.")),
}

NEEDS = {
    "Accepted": Look("check", "ok", _("A schedule is sent")),
    "Processing": Look("hourglass", "info", _("Waits for its session")),
    "Rejected": Look(
        "hand-stop", "warn", _("Refused"), _("The reason is below; it may charge by the defaults.")
    ),
    "NoChargingProfile": Look("x", "idle", _("No schedule"), _("It charges by the defaults.")),
}
PROFILE_REPORT = {
    "asked": Look("hourglass", "info", _("Asked"), _("The station has not answered yet.")),
    "receiving": Look("hourglass", "info", _("Comes in parts")),
    "complete": Look("check", "ok", _("Complete")),
    "refused": Look("hand-stop", "warn", _("Refused"), _("The station does not tell: see its messages.")),
    "unanswered": Look("help-circle", "warn", _("Not answered"), _("Ask again once the station is back.")),
}
ENERGY = {
    "alarm": Look("alert-triangle", "warn", _("Now"), _("It deviates because of the grid.")),
    "wanted": Look("hourglass", "info", _("Asked"), _("The station has not answered yet.")),
    "requested": Look("hourglass", "info", _("Asked"), _("The station has not answered yet.")),
    "accepted": Look("check", "ok", _("Accepted")),
    "refused": Look("hand-stop", "warn", _("Refused"), _("The station said no: its word is below.")),
    "unknown": Look("help-circle", "warn", _("Unknown"), _("No answer: ask the station what lies there.")),
    "started": Look("bolt", "live", _("Runs")),
    "superseded": Look("clock", "idle", _("Superseded")),
    "ended": Look("clock", "idle", _("Ended")),
    "cleared": Look("x", "idle", _("Not there")),
    "lost": Look("alert-triangle", "warn", _("Lost"), _("The station no longer has it: send it again.")),
    "inserted": Look("bolt", "live", _("Batteries in")),
    "done": Look("check", "ok", _("Exchanged")),
    "not_taken": Look("alert-triangle", "warn", _("Not taken"), _("The driver left without: call them.")),
    "Settled": Look("check", "ok", _("Paid")),
    "Canceled": Look("x", "idle", _("Cancelled")),
    "Rejected": Look("hand-stop", "warn", _("Rejected"), _("The provider did not pay: look at its reason.")),
    "Failed": Look("alert-triangle", "warn", _("Failed"), _("The terminal could not settle it.")),
}

RESERVATION = {
    "requested": Look("hourglass", "info", _("Asked"), _("The station has not answered yet.")),
    "reserved": Look("lock", "ok", _("Reserved"), _("Held for this driver until then.")),
    "refused": Look(
        "hand-stop", "warn", _("Refused"), _("The station said no: try another connector, or later.")
    ),
    "unknown": Look(
        "help-circle",
        "warn",
        _("Unknown"),
        _("No answer, so nobody knows whether it holds: cancel it, or ask again with Change."),
    ),
    "used": Look("bolt", "live", _("Used")),
    "expired": Look("clock", "idle", _("Expired")),
    "cancelled": Look("x", "idle", _("Cancelled")),
    "removed": Look(
        "lock-open",
        "warn",
        _("Let go"),
        _("The station let it go by itself: tell the driver, or reserve again."),
    ),
}

# What came of a remote start, stop or reset, once the station has answered.
REMOTE = {
    "accepted": Look(
        "hourglass", "info", _("Awaited"), _("The station said that it will try; what follows appears here.")
    ),
    "unknown": Look(
        "help-circle", "warn", _("Unknown"), _("Nobody knows yet whether it worked: look at the connector.")
    ),
    "succeeded": Look("circle-check", "ok", _("Done")),
    "refused": Look("hand-stop", "warn", _("Refused"), _("The station said no: see the reason below.")),
    "failed": Look("circle-x", "bad", _("Failed"), _("It was accepted, and did not happen: see the reason.")),
}
REMOTE_REASON = {
    "cancelled": _("It was taken back before it was sent."),
    "error": _("The station answered with an error: read its code above."),
    "faulted": _("The connector is faulted: read its error code, try a soft Reset, else send a technician."),
    "never_sent": _("The station was not there in time: send it again once it is online."),
    "no_answer": _("The station did not answer and nothing followed: try again, then try a soft Reset."),
    "no_car": _("No car was plugged in in time: ask the driver to plug in, then start it again."),
    "not_restarted": _("No boot followed: try a Hard reset; if that does not help either, send somebody."),
    "not_started": _("A cable was there, yet no session began: check the car and the token, then try again."),
    "not_stopped": _(
        "The session goes on: try again, then UnlockConnector; if the car has left, close the session by hand."
    ),
    "occupied": _("The connector is in use or not free yet: wait until it is available."),
    "offline": _("The station went offline: what happened is told when it is back."),
    "other_token": _("Somebody else charges at this connector: choose another one."),
    "out_of_service": _("The connector is out of service: send ChangeAvailability, type Operative, first."),
    "reserved": _("The connector is reserved for another driver: choose another one."),
    "session_unknown": _(
        "The station knows no such session: it has ended there. Close it by hand if its end never comes."
    ),
    "token_refused": _("The token is not accepted: see it under Tokens."),
}

# What became of a wished availability.
WISH = {
    "requested": Look("hourglass", "info", _("Asked")),
    "scheduled": Look(
        "clock", "info", _("After the session"), _("The station does it when the session ends.")
    ),
    "accepted": Look("circle-check", "info", _("Accepted"), _("Its status does not say so yet.")),
    "in_force": Look("circle-check", "ok", _("In force")),
    "refused": Look("hand-stop", "warn", _("Refused"), _("The station said no: ask again, or forget it.")),
    "unknown": Look("help-circle", "warn", _("Unknown"), _("No answer: look at its status, or ask again.")),
    "drift": Look(
        "alert-triangle",
        "warn",
        _("Not so"),
        _("It was in force, and the station reports otherwise: ask again."),
    ),
}

TOKEN = {
    "Accepted": Look("circle-check", "ok", _("Accepted")),
    "Blocked": Look("ban", "bad", _("Blocked"), _("Refused at every station until it is unblocked.")),
    "Expired": Look("clock", "warn", _("Expired"), _("Set a later expiry to let it charge again.")),
    "Invalid": Look("circle-x", "idle", _("Invalid"), _("Refused at every station.")),
    "ConcurrentTx": Look(
        "users", "warn", _("Too many sessions"), _("It charges as often as it may already.")
    ),
    "NotAtThisLocation": Look(
        "map-pin", "warn", _("Not at this site"), _("It may charge at other sites only.")
    ),
}

LOCAL_LIST = {
    "off": Look("circle-dashed", "idle", _("No list"), _("Every token is asked for.")),
    "stale": Look("hourglass", "info", _("To be sent"), _("It goes out once the station is connected.")),
    "asking": Look("send", "info", _("Being compared"), _("The station is asked for its version.")),
    "sending": Look("send", "info", _("Being sent"), _("The station takes it in parts.")),
    "in_step": Look("circle-check", "ok", _("In step")),
    "failed": Look(
        "refresh", "warn", _("Retrying"), _("The station did not take it; it is tried again by itself.")
    ),
    "unsupported": Look(
        "ban",
        "idle",
        _("Not supported"),
        _("The station says that it has no lists: send the whole list to try again."),
    ),
}

PUSH = {
    "due": Look("hourglass", "info", _("To be sent"), _("Goes out with the next run.")),
    "sent": Look("send", "info", _("Being sent"), _("The partner has not answered yet.")),
    "acked": Look("circle-check", "ok", _("Delivered")),
    "failed": Look("refresh", "warn", _("Retrying"), _("The last try failed; the next one comes by itself.")),
    "dead": Look(
        "circle-x",
        "bad",
        _("Refused"),
        _("The partner says no: read the error, agree with them, press Retry."),
    ),
}

PARTNER = {
    "invited": Look(
        "hourglass", "info", _("Invited"), _("The partner has token A: wait for the registration.")
    ),
    "prepared": Look(
        "hourglass", "info", _("Prepared"), _("Press Register to exchange tokens with the partner.")
    ),
    "registered": Look("circle-check", "ok", _("Registered")),
    "ended": Look("circle-x", "idle", _("Ended"), _("Register again to resume.")),
}
PARTNER_PAUSED = Look("player-pause", "warn", _("Paused"), _("Nothing is sent until somebody resumes it."))
PARTNER_SUSPENDED = Look(
    "lock", "bad", _("Token refused"), _("The partner refuses our token: exchange new credentials.")
)
PARTNER_FAILING = Look(
    "refresh", "warn", _("Failing"), _("The last requests failed; the next try comes by itself.")
)

CERTIFICATE = {
    "requested": Look("hourglass", "info", _("Requested"), _("Our authority is asked to sign it.")),
    "refused": Look(
        "circle-x", "bad", _("Not signed"), _("Read the reason, correct it at the station, then renew.")
    ),
    "issued": Look("certificate", "info", _("Issued"), _("It is sent with the next try.")),
    "sent": Look("send", "info", _("Sent"), _("The station has not answered yet.")),
    "accepted": Look("circle-check", "ok", _("Accepted")),
    "rejected": Look(
        "circle-x",
        "bad",
        _("Rejected"),
        _("Look whether our root is installed and its clock right, then try again."),
    ),
    "in_use": Look("shield-check", "ok", _("In use")),
    "replaced": Look("history", "idle", _("Replaced")),
    "revoked": Look("ban", "idle", _("Revoked")),
    "expired": Look("clock", "warn", _("Expired"), _("Renew it: it opens no connection any more.")),
}

# What to do next about a review item, by its kind.
REVIEW = {
    "unmatched_stop": _("Choose the session that it ended; if there is none, note it and resolve."),
    "unauthorised_energy": _(
        "Energy was taken without a right to it. Check the station's offline settings, decide who pays, then resolve."
    ),
    "odd_readings": _(
        "Look at the session. If its figures are right, bill it or resolve; else correct its energy there."
    ),
    "stale_session": _(
        "If it is still open and the car has left, close it with its last reading. If a rule closed it, its energy is "
        "estimated: correct it if you know better, else resolve."
    ),
    "bad_frame": _(
        "Read the frame in the station's messages. If it repeats, ask the vendor for a firmware fix."
    ),
    "billing_failed": _("Give the connector a tariff that fits, then the next sweep bills the session."),
    "partner_refused": _(
        "Read the partner's answer in the push queue, correct the object, then press Retry."
    ),
    "security_event": _("Find out who or what caused it at the station; if it was planned work, resolve."),
    "certificate_wanted": _(
        "Read the reason on the station's certificates. Correct it there (CpoName, root, clock) or at the authority, "
        "then renew or try again."
    ),
    "certificate_expires": _("Renew it before that day: afterwards the connection or the contract fails."),
    "charging_profile": _(
        "Compare the wished profile with what the station does; install it again or clear it."
    ),
    "duplicate_connection": _(
        "Two devices use one identity and password, or the network drops connections: change the password."
    ),
    "firmware": _("Read the status history of the update; correct the image or its link, then try again."),
    "flood": _("Read its last messages; if it goes on, restart the station or ask the vendor for a fix."),
    "local_list": _("See what the station answered; send the whole list again or switch its list off."),
    "security_profile": _(
        "The station goes on with its former credentials: see why, then start the change again."
    ),
    "station_alert": _(
        "Look at what it says under Monitoring; it closes by itself once the station says it is over."
    ),
    "silent_station": _("Check power and network at the site; a reset may bring it back."),
    "command_outcome": _(
        "Tell the developers with the server's log; then look whether the station did what it should."
    ),
}

FIRMWARE_IMAGE = {
    "awaiting": Look("hourglass", "info", _("Waits for its file"), _("Its upload link takes the file once.")),
    "verified": Look("circle-check", "ok", _("Verified")),
    "unsigned": Look(
        "alert-triangle",
        "warn",
        _("Not signed"),
        _("Nobody vouches for it; it is offered only where that is allowed."),
    ),
    "refused": Look("circle-x", "bad", _("Refused"), _("Read why; then get the image from its maker again.")),
    "withdrawn": Look("ban", "idle", _("Withdrawn")),
}

FIRMWARE_UPDATE = {
    "scheduled": Look("hourglass", "info", _("On its way"), _("The station has not answered yet.")),
    "accepted": Look("circle-check", "info", _("Accepted"), _("The station will fetch it.")),
    "running": Look("download", "live", _("Under way")),
    "installed": Look("circle-check", "ok", _("Installed")),
    "failed": Look("circle-x", "bad", _("Failed"), _("Read its history, then try again.")),
    "rejected": Look("hand-stop", "warn", _("Refused"), _("The station said no: read its word.")),
    "unanswered": Look(
        "clock", "warn", _("No answer"), _("It may have obeyed all the same: wait for its words.")
    ),
    "stalled": Look(
        "player-pause", "warn", _("Halted"), _("Nothing was heard for long: look at the station.")
    ),
    "cancelled": Look("x", "idle", _("Cancelled")),
}

CAMPAIGN = {
    "draft": Look("hourglass", "idle", _("Not started"), _("Start it when the list is right.")),
    "running": Look("player-play", "live", _("Running")),
    "halted": Look(
        "player-pause", "warn", _("Halted"), _("See what failed, then start it again or cancel it.")
    ),
    "done": Look("circle-check", "ok", _("Done")),
    "cancelled": Look("x", "idle", _("Cancelled")),
}

FIRMWARE_PUBLICATION = {
    "requested": Look("hourglass", "info", _("On its way"), _("The controller has not answered yet.")),
    "accepted": Look("circle-check", "info", _("Accepted"), _("The controller will fetch it.")),
    "running": Look("download", "live", _("Being fetched")),
    "published": Look("circle-check", "ok", _("Published"), _("Stations of the site may be sent to it.")),
    "unpublished": Look("trash", "idle", _("Taken back")),
    "failed": Look("circle-x", "bad", _("Failed"), _("Read its history, then publish it again.")),
    "rejected": Look("hand-stop", "warn", _("Refused"), _("The controller said no: read its word.")),
    "unanswered": Look(
        "clock", "warn", _("No answer"), _("It may have obeyed all the same: wait for its words.")
    ),
    "stalled": Look(
        "player-pause", "warn", _("Halted"), _("Nothing was heard for long: look at the controller.")
    ),
    "cancelled": Look("x", "idle", _("Cancelled")),
}

CUSTOMER_REQUEST = {
    "requested": Look("hourglass", "info", _("Asked"), _("The station has not answered yet.")),
    "accepted": Look("circle-check", "info", _("Promised"), _("The station will tell.")),
    "receiving": Look("download", "live", _("Comes in parts")),
    "done": Look("circle-check", "ok", _("Told")),
    "incomplete": Look("alert-triangle", "warn", _("Parts are missing"), _("Ask again.")),
    "rejected": Look("hand-stop", "warn", _("Refused"), _("The station said no: read its word.")),
    "failed": Look("circle-x", "bad", _("Failed"), _("See the command under Messages, then ask again.")),
    "unanswered": Look("clock", "warn", _("No answer"), _("It may tell all the same.")),
    "cancelled": Look("x", "idle", _("Cancelled")),
}

LOG_UPLOAD = {
    "requested": Look("hourglass", "info", _("Asked for"), _("The station has not answered yet.")),
    "accepted": Look("circle-check", "info", _("Promised"), _("The station will upload it.")),
    "uploading": Look("upload", "live", _("Being uploaded")),
    "uploaded": Look("circle-check", "ok", _("Here")),
    "nothing": Look("circle-check", "idle", _("Nothing to send")),
    "failed": Look(
        "circle-x", "bad", _("Failed"), _("Try again; if it repeats, see whether it reaches our URL.")
    ),
    "rejected": Look("hand-stop", "warn", _("Refused"), _("The station said no.")),
    "unanswered": Look("clock", "warn", _("No answer"), _("It may upload all the same.")),
    "stalled": Look("player-pause", "warn", _("Never came"), _("Ask again.")),
    "cancelled": Look("x", "idle", _("Cancelled")),
}

SECURITY = {
    "critical": Look("shield", "bad", _("Critical"), _("It waits for a decision under Review.")),
    "ordinary": Look("info-circle", "idle", _("Ordinary")),
}

# A change of security profile, one of its steps, a new password.
PROFILE_CHANGE = {
    "running": Look("hourglass", "info", _("In progress")),
    "returning": Look(
        "hourglass", "info", _("Waiting for its return"), _("Until then either profile lets it in.")
    ),
    "done": Look("circle-check", "ok", _("Done")),
    "failed": Look("circle-x", "bad", _("Failed"), _("The old profile holds: see the step that failed.")),
    "cancelled": Look("ban", "idle", _("Cancelled")),
}
PROFILE_STEP = {
    "waiting": Look("clock", "idle", _("To come")),
    "running": Look("hourglass", "info", _("Under way")),
    "done": Look("circle-check", "ok", _("Done")),
    "skipped": Look("chevron-right", "idle", _("Skipped")),
    "failed": Look(
        "circle-x", "bad", _("Failed"), _("Read the station's answer; try again once it is mended.")
    ),
}
NETWORK_SLOT = {
    "asked": Look("hourglass", "info", _("Asked"), _("The station has not answered yet.")),
    "accepted": Look("circle-check", "ok", _("Taken")),
    "rejected": Look(
        "circle-x",
        "bad",
        _("Refused"),
        _("Check slot, address and interface against what the station can do."),
    ),
    "failed": Look("circle-x", "bad", _("Not stored"), _("The station could not store it: send it again.")),
    "unknown": Look(
        "alert-triangle", "warn", _("Answer lost"), _("Read the slots again before the order is changed.")
    ),
}
PASSWORD_CHANGE = {
    "queued": Look(
        "hourglass", "info", _("Being sent"), _("The old password is good until the new one is used.")
    ),
    "sent": Look("send", "info", _("Sent")),
    "unknown": Look(
        "alert-triangle", "warn", _("Answer lost"), _("Both passwords are good; it is sent again by itself.")
    ),
    "reboot": Look("refresh", "info", _("Taken at the next boot"), _("Both passwords are good until then.")),
    "done": Look("circle-check", "ok", _("Changed")),
    "failed": Look(
        "circle-x", "bad", _("Not changed"), _("The old password holds: try again, or set one by hand.")
    ),
}

# What a security event means and what to do about it (1.6 security white paper section 8, 2.1 appendix 1).
_NOT_BELIEVED = _("It did not believe that we are we: check the root certificate installed in it.")
_REFUSED_BY_US = _("We refused its credentials: see its refused connections for the reason.")
_OUR_CERTIFICATE = _("It could not verify our certificate: check expiry, host name and its root certificate.")
_ITS_CERTIFICATE = _(
    "It refused the certificate that it was sent: check subject, chain and validity, then send another."
)
SECURITY_EVENT = {
    "AttemptedReplayAttacks": _(
        "It got a message a second time: ask who else is on the line to the station."
    ),
    "CentralSystemFailedToAuthentication": _NOT_BELIEVED,
    "CsmsFailedToAuthenticate": _NOT_BELIEVED,
    "CsmsFailedToAuthentication": _NOT_BELIEVED,
    "DiscardedRenewedClientCertificate": _(
        "It could not connect with its new certificate and went back to the old one: check the new one, send another."
    ),
    "FailedToAuthenticateAtCsms": _REFUSED_BY_US,
    "FailedToAuthenticationAtCentralSystem": _REFUSED_BY_US,
    "FailedToAuthenticationAtCsms": _REFUSED_BY_US,
    "FirmwareUpdated": _("New firmware runs: if nobody ordered it, take the station out of service."),
    "InvalidCentralSystemCertificate": _OUR_CERTIFICATE,
    "InvalidChargePointCertificate": _ITS_CERTIFICATE,
    "InvalidChargingStationCertificate": _ITS_CERTIFICATE,
    "InvalidCsmsCertificate": _OUR_CERTIFICATE,
    "InvalidFirmwareSignature": _("It refused a firmware file: get it from the maker again."),
    "InvalidFirmwareSigningCertificate": _(
        "It does not trust who signed the firmware: ask the maker for the right certificate."
    ),
    "InvalidMessages": _("It could not read what it got: look at its messages; a proxy may damage them."),
    "InvalidTLSCipherSuite": _("No cipher suite that it may use: check the TLS settings of the server."),
    "InvalidTLSVersion": _("TLS older than 1.2 was offered: check the TLS settings of the server."),
    "MaintenanceLoginAccepted": _(
        "Somebody logged in at the station: if no work was planned, change its maintenance password."
    ),
    "MaintenanceLoginFailed": _("Somebody tried to log in at the station: ask who works there."),
    "MemoryExhaustion": _("Its memory is nearly full: fetch its log, restart it, ask the maker for a fix."),
    "ReconfigurationOfSecurityParameters": _(
        "A key or the security profile changed: if it was not you, set a new password."
    ),
    "ResetOrReboot": _("It restarted: if nobody asked for it, look at power and at its log."),
    "SecurityLogWasCleared": _("Its security log was emptied: ask who had access to it."),
    "SettingSystemTime": _("Its clock was set: by the time of our answers, or by somebody at the station."),
    "StartupOfTheDevice": _("It booted: if nobody switched it on, look at its power supply."),
    "TamperDetectionActivated": _("Its housing was opened or moved: send somebody unless work is planned."),
}

# A refused handshake, by its reason.
REJECTION = {
    "unknown_identity": Look(
        "door-enter",
        "info",
        _("Unknown identity"),
        _("Nobody registered this identity: accept it above, or correct the identity in the charger."),
    ),
    "bad_identity": Look(
        "ban",
        "bad",
        _("Impossible identity"),
        _("The last part of the URL cannot be an identity: correct the URL in the charger."),
    ),
    "no_auth": Look(
        "key",
        "bad",
        _("No password"),
        _("The charger sent no password: enter it in the charger (security profile 1)."),
    ),
    "bad_auth_header": Look(
        "key",
        "bad",
        _("Malformed password header"),
        _("The Authorization header is malformed: update the charger's firmware."),
    ),
    "username_mismatch": Look(
        "key",
        "bad",
        _("Wrong user name"),
        _("User name and identity differ: both must be the station's identity."),
    ),
    "bad_password": Look(
        "key",
        "bad",
        _("Wrong password"),
        _("Set a new password on the station's page and enter it in the charger."),
    ),
    "profile": Look(
        "shield",
        "bad",
        _("Wrong security profile"),
        _("The connection does not fit the station's security profile: change one of the two."),
    ),
    "subprotocol": Look(
        "code", "bad", _("No common OCPP version"), _("Set the charger to a version that is offered here.")
    ),
    "no_certificate": Look(
        "certificate",
        "bad",
        _("No client certificate"),
        _("Security profile 3 wants one: let the station ask for a certificate, or lower its profile here."),
    ),
    "bad_certificate": Look(
        "certificate",
        "bad",
        _("Untrusted certificate"),
        _("No authority of ours signed it: issue a certificate to this station."),
    ),
    "certificate_expired": Look(
        "certificate",
        "bad",
        _("Certificate expired"),
        _("Lower the profile, renew the certificate, raise it again."),
    ),
    "certificate_revoked": Look(
        "certificate",
        "bad",
        _("Certificate revoked"),
        _("If the station is genuine, issue a new certificate."),
    ),
    "certificate_identity": Look(
        "certificate",
        "bad",
        _("Certificate of another station"),
        _("Its names are not this station's and ours: issue a certificate to this station."),
    ),
    "duplicate_connection": Look(
        "plug-connected",
        "bad",
        _("Connected already"),
        _(
            "The same identity is connected from another address: change the password if one of them is not yours."
        ),
    ),
    "overload": Look(
        "clock", "warn", _("Server busy"), _("Too many connect at once: it comes back by itself.")
    ),
    "rate_limited": Look(
        "clock",
        "warn",
        _("Too many attempts"),
        _("Too many were wrong: they are refused for a minute. Correct the charger's settings first."),
    ),
    "registration_rejected": Look(
        "ban", "bad", _("Rejected by us"), _("The station is registered as Rejected: edit it to let it in.")
    ),
}

# Why a session is flagged.
FLAG = {
    "unauthorised": _("The token was not accepted, and yet a session was started."),
    "energy_estimated": _("Its station never ended it: the energy is taken from the last good reading."),
    "closed_by": _("Closed by us: by hand or, with the word rule, because nothing was heard of it any more."),
    "corrected": _("Its own stop arrived after we had closed it; the figures are the station's."),
    "corrected_by": _("The energy was set by hand; the reason stands in the timeline."),
    "closing_values": _("The final reading came after the stop."),
    "register_reset": _("The meter register jumped back; the energy is the sum of its parts."),
    "stop_below_start": _("The stop reading is below the start reading."),
    "stop_below_register": _("The stop reading is below the last reading before it."),
    "no_readings": _("No usable reading came; the energy may be wrong."),
    "matched_stop": _(
        "The stop had no known transaction id; it was matched by connector, token and register."
    ),
    "stop_before_start": _("The station dated the stop before the start; the last reading's time was taken."),
    "token_garbage": _("The station sent stray characters behind the token; they were cut away."),
    "token_padding": _("The station sent spaces around the token; they were cut away."),
    "token_suffix": _("A payment terminal added facts behind the token; they were cut away."),
    "token_spelling": _("The token was written with separators; it was matched without them."),
    "token_truncated": _("The station cut the token off; only one token begins like that."),
    "token_byte_order": _("The reader turned the bytes of the card's UID round."),
    "time_corrected": _("The station's clock was wrong; our own time was taken."),
}

# Who ended a connection.
CLOSED_BY = {
    "peer": _("by the station"),
    "us": _("by us"),
    "takeover": _("a newer connection of the same station took over"),
    "restart": _("our server ended"),
}

# OCPI connector standards as people call them.
PLUGS = {
    "IEC_62196_T1": "Type 1",
    "IEC_62196_T1_COMBO": "CCS1",
    "IEC_62196_T2": "Type 2",
    "IEC_62196_T2_COMBO": "CCS2",
    "CHADEMO": "CHAdeMO",
    "DOMESTIC_F": "Schuko",
    "MCS": "MCS",
    "NACS": "NACS",
    "TESLA_S": "Tesla",
}

# WebSocket close codes in words (RFC 6455 section 7.4.1).
CLOSE_CODE = {
    1000: _("closed normally"),
    1001: _("went away"),
    1002: _("protocol error"),
    1005: _("closed without a code"),
    1006: _("line lost without a goodbye: power, router or mobile network"),
    1007: _("sent data that is not valid text"),
    1008: _("broke a rule"),
    1009: _("sent a message that is too long"),
    1011: _("our server failed"),
    1012: _("our server restarted"),
}


def of_station(*, is_online: bool, ever_connected: bool) -> Look:
    """Say how a station's connection looks."""
    if is_online:
        return ONLINE
    return OFFLINE if ever_connected else NEVER


def of_command(status: str, result: object) -> Look:
    """Say how a command looks; the charger's own word counts once it has answered."""
    if status == "answered" and isinstance(result, dict):
        word = str(result.get("status") or result.get("unlockStatus") or "")
        if word in REFUSALS:
            return Look(
                "hand-stop",
                "warn",
                word,
                _("The station said no: this is its answer, not a failure of ours."),
            )
        if word:
            return Look("circle-check", "ok", word)
    return COMMAND.get(status, Look("help-circle", "idle", status))


PAYMENT = {
    "opened": Look("hourglass", "info", _("At the payment service"), _("The driver has not paid yet.")),
    "authorised": Look("credit-card", "info", _("Authorised"), _("The station is asked to start next.")),
    "starting": Look(
        "player-play", "info", _("Starting"), _("The station was asked; the session is awaited.")
    ),
    "charging": Look("bolt", "live", _("Charging"), _("Captured as soon as the session's CDR is there.")),
    "capturing": Look(
        "hourglass", "info", _("Capturing"), _("Asked again until the payment service answers.")
    ),
    "captured": Look("circle-check", "ok", _("Captured")),
    "cancelling": Look(
        "hourglass", "idle", _("Releasing"), _("Asked again until the payment service answers.")
    ),
    "cancelled": Look("ban", "idle", _("Released"), _("Nothing was charged.")),
    "failed": Look("alert-triangle", "bad", _("Failed"), _("The review item has the figures.")),
}
REFUND = {
    "asked": Look("hourglass", "info", _("Asked for")),
    "done": Look("circle-check", "ok", _("Given back")),
    "refused": Look("circle-x", "bad", _("Refused"), _("The payment service says why.")),
}
PAYMENT_CODE = {
    "asked": Look("hourglass", "info", _("Told to the station"), _("It has not agreed yet.")),
    "in_force": Look("circle-check", "ok", _("On the display")),
    "refused": Look("circle-x", "bad", _("Refused"), _("The station has no such codes: use stickers.")),
}
