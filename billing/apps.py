"""Registers the app and its subscribers."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from billing import subscribers  # noqa: F401  (registers itself)
