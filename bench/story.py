"""The standard mix as prebuilt frames: what one charger of OCPP 1.6 says, with as little work as possible.

BootNotification and two StatusNotifications once; then for ever Heartbeat, StartTransaction, ten MeterValues
of six sampled values, StopTransaction. Timestamps are the real time; message ids never repeat.
"""

import time

METER_VALUES = 10
SAMPLED_VALUES = 6
LOOP = METER_VALUES + 3
ID_TAG = "BENCH-TAG"

BOOT = (
    b'[2,"%b","BootNotification",{"chargePointVendor":"OpenCPO","chargePointModel":"Bench",'
    b'"firmwareVersion":"1.0.0"}]'
)
STATUS = (
    b'[2,"%b","StatusNotification",{"connectorId":%d,"errorCode":"NoError","status":"Available",'
    b'"timestamp":"%b"}]'
)
HEARTBEAT = b'[2,"%b","Heartbeat",{}]'
START = (
    b'[2,"%b","StartTransaction",{"connectorId":1,"idTag":"'
    + ID_TAG.encode()
    + b'","meterStart":%d,"timestamp":"%b"}]'
)
METER = (
    b'[2,"%b","MeterValues",{"connectorId":1,"transactionId":%d,"meterValue":[{"timestamp":"%b","sampledValue":['
    b'{"value":"%d","measurand":"Energy.Active.Import.Register","unit":"Wh","context":"Sample.Periodic"},'
    b'{"value":"%d","measurand":"Power.Active.Import","unit":"W","context":"Sample.Periodic"},'
    b'{"value":"10.%d","measurand":"Current.Import","unit":"A","phase":"L1","context":"Sample.Periodic"},'
    b'{"value":"10.%d","measurand":"Current.Import","unit":"A","phase":"L2","context":"Sample.Periodic"},'
    b'{"value":"10.%d","measurand":"Current.Import","unit":"A","phase":"L3","context":"Sample.Periodic"},'
    b'{"value":"230.%d","measurand":"Voltage","unit":"V","phase":"L1-N","context":"Sample.Periodic"}]}]}]'
)
STOP = (
    b'[2,"%b","StopTransaction",{"transactionId":%d,"idTag":"' + ID_TAG.encode() + b'","meterStop":%d,'
    b'"timestamp":"%b","reason":"Local"}]'
)
BOOTING = ("BootNotification", "StatusNotification", "StatusNotification")
CHARGING = ("Heartbeat", "StartTransaction", *(["MeterValues"] * METER_VALUES), "StopTransaction")

_second = [0, b""]


def timestamp() -> bytes:
    """Now in UTC with milliseconds; the part up to the second is formatted once a second."""
    now_ns = time.time_ns()
    second, rest = divmod(now_ns, 1_000_000_000)
    if second != _second[0]:
        _second[:] = [second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()]
    return b"%b.%03dZ" % (_second[1], rest // 1_000_000)


class Story:
    """Where one charger stands in the mix: `next_call()` makes a message, `answered()` takes its answer."""

    subprotocol = "ocpp1.6"
    __slots__ = ("action", "message_id", "prefix", "register_wh", "sent", "step", "transaction_id")

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix.encode()
        self.sent = 0
        self.step = 0
        self.register_wh = 1_000_000
        self.transaction_id = 0
        self.message_id = b""
        self.action = ""

    def reboot(self) -> None:
        """Begin again with BootNotification, as after a new connection."""
        self.step = 0

    @property
    def between_transactions(self) -> bool:
        return self.step >= len(BOOTING) and (self.step - len(BOOTING)) % LOOP == 0

    def next_call(self) -> bytes:
        self.sent += 1
        self.message_id = b"%b-%d" % (self.prefix, self.sent)
        step = self.step
        self.step += 1
        if step < len(BOOTING):
            self.action = BOOTING[step]
            if step == 0:
                return BOOT % self.message_id
            return STATUS % (self.message_id, step - 1, timestamp())
        at = (step - len(BOOTING)) % LOOP
        self.action = CHARGING[at]
        if at == 0:
            return HEARTBEAT % self.message_id
        if at == 1:
            return START % (self.message_id, self.register_wh, timestamp())
        if at == LOOP - 1:
            return STOP % (self.message_id, self.transaction_id, self.register_wh, timestamp())
        self.register_wh += 2
        digit = self.register_wh % 10
        head = (self.message_id, self.transaction_id, timestamp())
        return METER % (*head, self.register_wh, 7000 + digit, digit, digit, digit, digit)

    def answered(self, text: bytes) -> bool:
        """Take a CALLRESULT; False if it belongs to another call."""
        if not text.startswith(self.message_id, 4):
            return False
        if self.action == "StartTransaction":
            self.transaction_id = number_after(text, b'"transactionId":')
        return True


def number_after(text: bytes, key: bytes) -> int:
    """The integer after `key` in JSON text, without parsing the rest."""
    at = text.index(key) + len(key)
    end = at
    while text[end : end + 1] in b" -0123456789" and end < len(text):
        end += 1
    return int(text[at:end])
