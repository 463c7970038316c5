"""The standard mix of OCPP 2.0.1: BootNotification and two StatusNotifications once; then for ever Heartbeat and a
transaction of twelve TransactionEvents, ten of them with six sampled values.
"""

from bench.story import BOOTING, HEARTBEAT, ID_TAG, LOOP, METER_VALUES, Story, timestamp

BOOT = (
    b'[2,"%b","BootNotification",{"reason":"PowerUp","chargingStation":{"vendorName":"OpenCPO","model":"Bench",'
    b'"firmwareVersion":"1.0.0"}}]'
)
STATUS = b'[2,"%b","StatusNotification",{"timestamp":"%b","connectorStatus":"Available","evseId":%d,"connectorId":1}]'
HEAD = (
    b'[2,"%b","TransactionEvent",{"eventType":"%b","timestamp":"%b","triggerReason":"%b","seqNo":%d,'
    b'"transactionInfo":{"transactionId":"%b","chargingState":"%b"%b},'
)
TOKEN = b'"idToken":{"idToken":"' + ID_TAG.encode() + b'","type":"ISO14443"}'
EDGE = (
    b'"meterValue":[{"timestamp":"%b","sampledValue":[{"value":%d,"measurand":"Energy.Active.Import.Register",'
    b'"context":"Transaction.%b","unitOfMeasure":{"unit":"Wh"}}]}]'
)
METER = (
    b'"meterValue":[{"timestamp":"%b","sampledValue":['
    b'{"value":%d,"measurand":"Energy.Active.Import.Register","unitOfMeasure":{"unit":"Wh"},"context":"Sample.Periodic"},'
    b'{"value":%d,"measurand":"Power.Active.Import","unitOfMeasure":{"unit":"W"},"context":"Sample.Periodic"},'
    b'{"value":10.%d,"measurand":"Current.Import","unitOfMeasure":{"unit":"A"},"phase":"L1","context":"Sample.Periodic"},'
    b'{"value":10.%d,"measurand":"Current.Import","unitOfMeasure":{"unit":"A"},"phase":"L2","context":"Sample.Periodic"},'
    b'{"value":10.%d,"measurand":"Current.Import","unitOfMeasure":{"unit":"A"},"phase":"L3","context":"Sample.Periodic"},'
    b'{"value":230.%d,"measurand":"Voltage","unitOfMeasure":{"unit":"V"},"phase":"L1-N","context":"Sample.Periodic"}]}]}]'
)
CHARGING = (
    "Heartbeat",
    "TransactionEvent/Started",
    *(["TransactionEvent/Updated"] * METER_VALUES),
    "TransactionEvent/Ended",
)


class StoryV2(Story):
    """Where one 2.0.1 station stands in the mix."""

    __slots__ = ("transaction", "visits")
    subprotocol = "ocpp2.0.1"

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.transaction, self.visits = b"", 0

    def next_call(self) -> bytes:
        self.sent += 1
        self.message_id = b"%b-%d" % (self.prefix, self.sent)
        step = self.step
        self.step += 1
        if step < len(BOOTING):
            self.action = BOOTING[step]
            if step == 0:
                return BOOT % self.message_id
            return STATUS % (self.message_id, timestamp(), step)
        at = (step - len(BOOTING)) % LOOP
        self.action = CHARGING[at]
        if at == 0:
            return HEARTBEAT % self.message_id
        now = timestamp()
        if at == 1:
            self.visits += 1
            self.transaction = (b"%b.%d" % (self.prefix, self.visits))[-36:]
            head = self._head(b"Started", now, b"Authorized", 0)
            return b'%b%b,"evse":{"id":1,"connectorId":1},%b}]' % (
                head,
                TOKEN,
                EDGE % (now, self.register_wh, b"Begin"),
            )
        if at == LOOP - 1:
            head = self._head(b"Ended", now, b"StopAuthorized", at - 1, b',"stoppedReason":"Local"')
            return b"%b%b,%b}]" % (head, TOKEN, EDGE % (now, self.register_wh, b"End"))
        self.register_wh += 2
        digit = self.register_wh % 10
        head = self._head(b"Updated", now, b"MeterValuePeriodic", at - 1)
        return head + METER % (now, self.register_wh, 7000 + digit, digit, digit, digit, digit)

    def answered(self, text: bytes) -> bool:
        """Take a CALLRESULT; False if it belongs to another call."""
        return text.startswith(self.message_id, 4)

    def _head(self, kind: bytes, now: bytes, trigger: bytes, seq_no: int, rest: bytes = b"") -> bytes:
        state = b"EVConnected" if kind == b"Ended" else b"Charging"
        return HEAD % (self.message_id, kind, now, trigger, seq_no, self.transaction, state, rest)
