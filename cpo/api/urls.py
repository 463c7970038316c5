"""The operator REST API under /api/v1/: the contents page. Each path answers with and without its last slash."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
