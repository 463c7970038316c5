"""The composition: console, API, settings, commands."""

from django.apps import AppConfig


class CpoConfig(AppConfig):
    name = "cpo"
    verbose_name = "Operation"

    def ready(self) -> None:
        from cpo.console import subscribers  # noqa: F401  (registers itself)
