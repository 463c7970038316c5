"""The HTTP routes of the project."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from cpo import health, pki

urlpatterns = [
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("pki/ocsp", pki.status, name="pki-ocsp"),
    path("pki/ocsp/<path:encoded>", pki.status),
    path("pki/<str:role>.crl", pki.revocations, name="pki-crl"),
    path("pki/roots.pem", pki.roots, name="pki-roots"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/", include("cpo.api.urls")),
    path("ocpi/", include("roaming.ocpi.urls")),
    path("pay/", include("cpo.pay.urls")),
    path("admin/", admin.site.urls),
    path("", include("cpo.console.urls")),
]
