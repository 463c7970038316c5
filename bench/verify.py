"""Was anything lost? The product's rows against what its chargers were answered."""

from collections import Counter

from bench import databases
from bench.story import METER_VALUES, SAMPLED_VALUES

FRAMES = """
select action, direction, count(*), count(distinct (station_id, message_id))
from stations_frame where (direction, message_type) in (('i', 2), ('o', 3)) group by 1, 2
"""
SESSIONS = """
select count(*), count(*) filter (where status = 'ended'),
    coalesce(sum(energy_wh) filter (where status = 'ended'), 0)
from stations_chargingsession
"""
SAMPLES = """
select count(*) from stations_metersample s join stations_readingkind k on k.id = s.kind_id
where k.context = 'Sample.Periodic'
"""
ENERGY_WH = METER_VALUES * 2


def losses(url: str, answered: Counter[str]) -> list[str]:
    """One sentence for each count that is wrong; empty when every answered message is there, once.

    `answered` are all answers since the database was empty. The run must be over: no call outstanding.
    """
    stored = {
        (action, direction): (rows, calls) for action, direction, rows, calls in databases.counts(url, FRAMES)
    }
    wrong = []
    started = answered["StartTransaction"] + answered["TransactionEvent/Started"]
    stopped = answered["StopTransaction"] + answered["TransactionEvent/Ended"]
    metered = answered["MeterValues"] + answered["TransactionEvent/Updated"]
    actions: Counter[str] = Counter()
    for action, count in answered.items():
        actions[action.partition("/")[0]] += count
    for action, expected in actions.items():
        for direction, what in (("i", "calls"), ("o", "answers")):
            rows, calls = stored.get((action, direction), (0, 0))
            if rows != expected or calls != expected:
                wrong.append(f"{expected} {action} answered, {rows} {what} in the journal ({calls} distinct)")
    sessions, ended, energy_wh = databases.counts(url, SESSIONS)[0]
    samples = databases.counts(url, SAMPLES)[0][0]
    checks = (
        ("sessions", sessions, started),
        ("ended sessions", ended, stopped),
        ("Wh in ended sessions", energy_wh, stopped * ENERGY_WH),
        ("samples", samples, metered * SAMPLED_VALUES),
    )
    return wrong + [
        f"{found} {what}, expected {expected}" for what, found, expected in checks if found != expected
    ]
