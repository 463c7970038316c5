"""Put stations and a token into the product's database: `python -m bench.provision --stations N`.

Goes past the services for speed (ten thousand stations in a second), but hashes secrets with theirs.
"""

import argparse
import os

import django

from bench.servers import PASSWORD
from bench.story import ID_TAG
from bench.swarm import station_id


def provision(stations: int) -> None:
    """Make the stations BENCH-00001…, each with one connector, and the token that charges."""
    from cpo.lib import clock
    from stations.models import ChargingStation, Connector, Evse, IdToken
    from stations.services import locations, provisioning

    now = clock.now()
    operator = locations.save_operator("NL", "BCH", name="Bench")
    location = locations.save_location(
        uid="bench", operator=operator, name="Bench", city="Bench", country="NLD"
    )
    salt = b"bench-bench-salt"
    secret = provisioning.hash_password(PASSWORD, salt)
    known = set(ChargingStation.objects.values_list("identity", flat=True))
    fresh = [identity for number in range(1, stations + 1) if (identity := station_id(number)) not in known]
    rows = ChargingStation.objects.bulk_create(
        [
            ChargingStation(identity=identity, location=location, secret_salt=salt, secret_hash=secret)
            for identity in fresh
        ],
        batch_size=1000,
    )
    evses = Evse.objects.bulk_create(
        [Evse(station=station, number=1, last_updated=now) for station in rows], batch_size=1000
    )
    Connector.objects.bulk_create([Connector(evse=evse, last_updated=now) for evse in evses], batch_size=1000)
    IdToken.objects.get_or_create(uid=ID_TAG, defaults={"last_updated": now})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stations", type=int, default=200)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cpo.settings")
    django.setup()
    provision(parser.parse_args().stations)
