"""Registers the app and its subscribers."""

from django.apps import AppConfig


class RoamingConfig(AppConfig):
    name = "roaming"

    def ready(self) -> None:
        from roaming import subscribers  # noqa: F401  (registers itself)
