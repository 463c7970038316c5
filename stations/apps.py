"""Registers the app and its subscribers."""

from django.apps import AppConfig


class StationsConfig(AppConfig):
    name = "stations"
