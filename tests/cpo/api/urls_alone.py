from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
urlpatterns = [path("api/schema/", SpectacularAPIView.as_view(), name="schema"), path("api/v1/", include("cpo.api.urls"))]
