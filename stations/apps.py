"""Registers the app; after a migration the coming parts of the bulk tables are made."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class StationsConfig(AppConfig):
    name = "stations"

    def ready(self) -> None:
        post_migrate.connect(make_partitions, sender=self)


def make_partitions(**kwargs: Any) -> None:
    """Make the parts of the coming days, so that the first frame finds its own."""
    from stations.services import partitions

    if partitions.is_ready():
        partitions.maintain()
