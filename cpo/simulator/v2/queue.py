"""TransactionEvents on their way: kept while offline, sent in the order of their seqNo until answered (E04, E13)."""

from cpo.simulator.answers import Payload
from cpo.simulator.outbox import Outbox, Record

ACTION = "TransactionEvent"


class EventQueue(Outbox):
    """The outbox of 2.x: ids of transactions are the station's own; what waited for a socket says `offline`."""

    def event(self, payload: Payload, transaction: str) -> Record:
        """Queue an event; one that happens without a socket is marked (E04.FR.03)."""
        if not self._wire.online.is_set():
            payload |= {"offline": True}
        return self.put(ACTION, payload, transaction)

    def has_of(self, transaction: str) -> bool:
        """Whether events of this transaction still wait (E14)."""
        return any(record.transaction == transaction for record in self.records)

    def _filled_in(self, record: Record) -> Payload:
        return record.payload
