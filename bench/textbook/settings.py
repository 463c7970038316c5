"""Settings of the textbook reference; the database is `DATABASE_URL`."""

import os

from psycopg.conninfo import conninfo_to_dict

_url = conninfo_to_dict(os.environ["DATABASE_URL"])

SECRET_KEY = "bench"
INSTALLED_APPS = ["django.contrib.contenttypes", "channels", "bench.textbook"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _url.get("dbname"),
        "USER": _url.get("user", ""),
        "PASSWORD": _url.get("password", ""),
        "HOST": _url.get("host", ""),
        "PORT": _url.get("port", ""),
        "CONN_MAX_AGE": None,
    }
}
LOGGING = {"version": 1, "disable_existing_loggers": False, "loggers": {"ocpp": {"level": "WARNING"}}}
