"""The Celery app must be loaded with Django, so that shared tasks find their broker."""

from cpo.celery import app as celery_app

__all__ = ["celery_app"]
