"""The addresses of the payment pages. A code on a display has four parts, as its template says; all others fewer."""

from django.urls import path

from cpo.pay import views

urlpatterns = [
    path("notices/<str:provider>", views.notice, name="pay-notice"),
    path("e/<str:uid>", views.sticker, name="pay-sticker"),
    path("r/<str:uid>", views.terminal_receipt, name="pay-terminal-receipt"),
    path("s/<str:link>", views.status, name="pay-status"),
    path("s/<str:link>/stop", views.stop, name="pay-stop"),
    path("s/<str:link>/mail", views.mail, name="pay-mail"),
    path("s/<str:link>/receipt", views.receipt, name="pay-receipt"),
    path("<str:identity>/<int:number>/<str:totp>/<str:version>", views.display, name="pay-display"),
    path("<str:identity>/<int:number>/<str:totp>/<str:version>/", views.display),
]
