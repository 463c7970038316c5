"""What meters say: readings in base units, the register that bills, the point in time to show.

Pure: no Django, no database, no clock. The wire of OCPP 1.6 and 2.x comes in, values in Wh, W, A, V, Hz, Celsius
and Percent come out, exact and in UTC, in the words of OCPP 2.1 (`reading.py`). Nothing here raises for what a
charger sends: what makes no sense is left out and named as a fault, what is odd is kept and flagged.

    wire.py        MeterValues, transactionData and TransactionEvent -> readings
    words.py       measurands, locations, phases, contexts, units and their factors
    timestamps.py  a charger's idea of the time -> UTC
    energy.py      readings -> billed energy, as a whole or step by step
    live.py        readings -> the newest power, current, voltage and state of charge
"""

from stations.readings.energy import EnergyRegister, EnergyResult, energy_of
from stations.readings.live import LivePoint, latest
from stations.readings.reading import Fault, ParsedReadings, Reading, SignedReading
from stations.readings.timestamps import parse_timestamp
from stations.readings.wire import parse_v2_meter_values, parse_v16_meter_values

__all__ = [
    "EnergyRegister",
    "EnergyResult",
    "Fault",
    "LivePoint",
    "ParsedReadings",
    "Reading",
    "SignedReading",
    "energy_of",
    "latest",
    "parse_timestamp",
    "parse_v2_meter_values",
    "parse_v16_meter_values",
]
