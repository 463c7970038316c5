"""Settings of the project: one file, from the environment only.

Every value names its unit and its reason. `docs/operations.md` lists each variable; a test fails if one is missing
there. Secrets have no default: `make run` and `make test` generate them once, production sets them.
"""

import zlib
from pathlib import Path
from typing import Any

import environ
from psycopg.conninfo import conninfo_to_dict

from cpo.lib import logs

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent


# --- Django itself -------------------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY")
FIELD_KEYS = env.list(
    "FIELD_KEYS"
)  # Fernet keys, newest first: partner tokens at rest; must differ from SECRET_KEY
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip(
    "/"
)  # how partners and browsers reach us
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SECURE_COOKIES = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0)  # seconds; set it once TLS is final
X_FRAME_OPTIONS = "DENY"
TRUSTED_PROXIES = env.list(
    "TRUSTED_PROXIES", default=[]
)  # addresses whose X-Forwarded-* headers are believed
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "django_htmx",
    "csp",
    "cpo.apps.CpoConfig",
    "stations.apps.StationsConfig",
    "billing.apps.BillingConfig",
    "roaming.apps.RoamingConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "cpo.urls"
ASGI_APPLICATION = "cpo.asgi.application"
APPEND_SLASH = (
    False  # OCPI and the API answer with and without the slash; a redirect would lose body and token
)

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {  # `cpo.console` is no app of its own
                "commands": "cpo.console.templatetags.commands",
                "console": "cpo.console.templatetags.console",
            },
        },
    },
]

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True  # serves without collectstatic; with it, files come from STATIC_ROOT
WHITENOISE_AUTOREFRESH = DEBUG

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"  # stored and computed in UTC; pages show the location's own zone
USE_TZ = True
USE_I18N = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],  # uPlot sets inline styles
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'", "ws:", "wss:"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
    }
}

# --- PostgreSQL, Redis, Celery -------------------------------------------------------------------------------------

DATABASE_URL = env.str(
    "DATABASE_URL"
)  # any libpq URI, unix sockets too: postgresql://user:secret@/name?host=/run/pg
DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", default=24)  # connections per process


def _database(url: str) -> dict[str, Any]:
    """Give Django's settings for a libpq URI."""
    parts = conninfo_to_dict(url)
    named = {
        "NAME": parts.pop("dbname", "opencpo"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": str(parts.pop("port", "") or ""),
    }
    pool = {"min_size": 0, "max_size": DATABASE_POOL_SIZE, "timeout": 10}
    options = {**parts, "pool": pool, "application_name": "opencpo", "prepare_threshold": 5}
    return {
        "ENGINE": "django.db.backends.postgresql",
        **named,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


DATABASES = {"default": _database(DATABASE_URL)}

REDIS_URL = env.str("REDIS_URL")  # redis://, rediss:// or unix:///path/to/socket?db=0
# Published messages know no database number: installations that share a Redis must not hear each other.
LIVE_PREFIX = f"opencpo:{zlib.crc32(REDIS_URL.encode()):08x}"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        # Without socket_timeout=None an idle console socket is closed after five seconds.
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None}], "prefix": LIVE_PREFIX},
    }
}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 360,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
}
CELERY_TASK_IGNORE_RESULT = True  # rows remember, not Celery
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_PUBLISH_RETRY = (
    False  # a nudge that is lost is found by a sweep; never block a charger's thread on it
)
CELERY_TASK_TIME_LIMIT = 300  # seconds; kills a task that hangs
CELERY_TASK_SOFT_TIME_LIMIT = 240  # seconds
CELERY_WORKER_CONCURRENCY = env.int("CELERY_CONCURRENCY", default=4)  # tasks; a hanging partner holds one
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"

# --- REST ----------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["cpo.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["cpo.api.permissions.RolePermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "cpo.api.paging.NewestFirst",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "COERCE_DECIMAL_TO_STRING": True,
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "OpenCPO operator API",
    "DESCRIPTION": "Chargers, sessions, tariffs, CDRs and roaming partners. Tokens: `manage.py create_api_token NAME`.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,  # what is written differs from what is read
    "ENUM_NAME_OVERRIDES": {
        "ChargingProfileKind": "stations.models.ProfileTemplate.Kind",
        "ChargingProfileState": "stations.models.InstalledProfile.State",
        "CommandStatus": "stations.models.Command.Status",
        "CertificateState": "stations.models.StationCertificate.State",
        "SigningUse": "stations.models.SigningUse",
        "RootUse": "stations.models.RootUse",
        "ConnectorStatus": "stations.models.ConnectorStatus",
        "SessionStatus": "stations.models.ChargingSession.Status",
        "TokenStatus": "stations.models.IdToken.Status",
        "TokenGroupStatus": "stations.models.TokenGroup.Status",
        "FirmwareImageState": "stations.models.FirmwareImage.State",
        "FirmwareUpdateState": "stations.models.FirmwareUpdate.State",
        "FirmwareCampaignState": "stations.models.FirmwareCampaign.State",
        "LogKind": "stations.models.LogUpload.Kind",
        "PublicationState": "stations.models.FirmwarePublication.State",
        "CustomerRequestState": "stations.models.CustomerRequest.State",
        "CustomerReference": "stations.models.CustomerRequest.Reference",
        "LogState": "stations.models.LogUpload.State",
        "RemoteState": "stations.models.RemoteRequest.State",
        "ReservationStatus": "stations.models.Reservation.Status",
        "DERControlType": "stations.models.DERControl.Type",
        "GridSignalState": "stations.models.GridSignal.State",
        "MonitorType": "stations.models.VariableMonitor.Type",
        "WishState": "stations.models.AvailabilityWish.State",
        "PartnerStatus": "roaming.models.Connection.Status",
        "PushState": "roaming.models.Push.State",
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024  # bytes

# --- our own party, made when there is none yet (later ones are rows) ------------------------------------------------

OPERATOR_COUNTRY_CODE = env.str("OPERATOR_COUNTRY_CODE", default="NL")  # ISO 3166 alpha-2
OPERATOR_PARTY_ID = env.str("OPERATOR_PARTY_ID", default="OCP")  # three characters, ISO 15118
OPERATOR_NAME = env.str("OPERATOR_NAME", default="OpenCPO")
OPERATOR_CURRENCY = env.str("OPERATOR_CURRENCY", default="EUR")  # ISO 4217

# --- OCPP ----------------------------------------------------------------------------------------------------------

OCPP_ALLOW_PROFILE_0 = env.bool("OCPP_ALLOW_PROFILE_0", default=False)  # stations without password; demo only
OCPP_ALLOW_HIGHER_PROFILE = env.bool(
    "OCPP_ALLOW_HIGHER_PROFILE", default=False
)  # TLS of a station registered without it: A00.FR.002 says no
OCPP_PROFILE_RETURN_S = env.int(
    "OCPP_PROFILE_RETURN_S", default=900
)  # seconds a station has to come back with its new security profile
OCPP_PASSWORD_ROTATION_DAYS = env.int(
    "OCPP_PASSWORD_ROTATION_DAYS", default=0
)  # days after which a station's password is changed by itself; 0: never
OCPP_PASSWORD_ROTATIONS_AT_ONCE = env.int(
    "OCPP_PASSWORD_ROTATIONS_AT_ONCE", default=20
)  # stations whose password a sweep begins to change
OCPP_TLS_PORT = env.int(
    "OCPP_TLS_PORT", default=0
)  # where we end the TLS of stations ourselves; 0: a proxy does
OCPP_TLS_FOLDER = env.str(
    "OCPP_TLS_FOLDER", default=""
)  # where certificates of our own authority are kept for it, if none are named
OCPP_TLS_CERTIFICATES = env.list(
    "OCPP_TLS_CERTIFICATES", default=[]
)  # `chain.pem:key.pem`, one with an RSA and one with an EC key
OCPP_SIGNING_KEY = env.str(
    "OCPP_SIGNING_KEY", default=""
)  # `chain.pem:key.pem` (P-256 or RSA): signs our answers to signed messages, and requests (quirk takes_signed)
OCPP_MESSAGE_SIGNERS = env.list(
    "OCPP_MESSAGE_SIGNERS", default=[]
)  # PEM files of certificates besides the stations' own whose signatures of messages we believe
OCPP_DEFAULT_SUBPROTOCOL = env.str(
    "OCPP_DEFAULT_SUBPROTOCOL", default=""
)  # for stations that name none; '' refuses
OCPP_VERSIONS = env.list(
    "OCPP_VERSIONS", default=["1.6", "2.0.1", "2.1"]
)  # versions that a handshake may choose: of those that a station offers, the first that is in here
OCPP_REVEAL_UNKNOWN = env.bool("OCPP_REVEAL_UNKNOWN", default=True)  # 404 for an unknown identity, else 401
OCPP_HEARTBEAT_INTERVAL_S = env.int("OCPP_HEARTBEAT_INTERVAL_S", default=300)  # seconds, spread by ±20 %
OCPP_CALL_TIMEOUT_S = env.int(
    "OCPP_CALL_TIMEOUT_S", default=30
)  # seconds until an unanswered CALL counts as timed out
OCPP_COMMAND_TTL_S = env.int("OCPP_COMMAND_TTL_S", default=120)  # seconds a queued command waits to be sent
OCPP_QUEUED_COMMAND_TTL_S = env.int("OCPP_QUEUED_COMMAND_TTL_S", default=86_400)  # seconds, for "queue": true
OCPP_WRITER_LINGER_MS = env.float(
    "OCPP_WRITER_LINGER_MS", default=3.0
)  # milliseconds a batch waits for company
OCPP_WRITER_BATCH = env.int("OCPP_WRITER_BATCH", default=1000)  # messages in one commit at most
OCPP_CAREFUL_THREADS = env.int("OCPP_CAREFUL_THREADS", default=6)  # worker threads of the careful lane
OCPP_STORE_TIMEOUT_S = env.float(
    "OCPP_STORE_TIMEOUT_S", default=15.0
)  # seconds a message waits for the database
OCPP_SETTLE_S = env.float(
    "OCPP_SETTLE_S", default=5.0
)  # seconds after its BootNotification in which a station is sent nothing: some boot for ever else
OCPP_BOOT_WAIT_S = env.float(
    "OCPP_BOOT_WAIT_S", default=10.0
)  # seconds after which a station that sent no BootNotification is asked for one, and spoken to
OCPP_AUTOMATIC_PER_MINUTE = env.int(
    "OCPP_AUTOMATIC_PER_MINUTE", default=120
)  # commands that nobody asked for, to one station
OCPP_REDIAL_AFTER_TIMEOUTS = env.int(
    "OCPP_REDIAL_AFTER_TIMEOUTS", default=3
)  # unanswered commands in a row, from a station that does send, after which it must dial again; 0: never
OCPP_LOOK_EVERY_S = env.float(
    "OCPP_LOOK_EVERY_S", default=5.0
)  # seconds between looks at what a lost wake-up would have told, and for silent stations
OCPP_PING_INTERVAL_S = env.float("OCPP_PING_INTERVAL_S", default=60.0)  # seconds; 0: no pings
OCPP_TAKEOVER_PING_S = env.float(
    "OCPP_TAKEOVER_PING_S", default=5.0
)  # seconds the older of two connections has to prove that it lives
OCPP_TAKEOVERS_IN_5_MIN = env.int(
    "OCPP_TAKEOVERS_IN_5_MIN", default=3
)  # of one station, after which only a dead connection is replaced
OCPP_MESSAGES_PER_S = env.float("OCPP_MESSAGES_PER_S", default=20.0)  # of one station, in the long run
OCPP_MESSAGES_BURST = env.int("OCPP_MESSAGES_BURST", default=200)  # messages at once, after a quiet time
OCPP_FLOOD_S = env.float(
    "OCPP_FLOOD_S", default=4.0
)  # seconds of too many messages, none awaiting its answer, after which the socket is closed
OCPP_HANDSHAKES_AT_ONCE = env.int(
    "OCPP_HANDSHAKES_AT_ONCE", default=1000
)  # waiting in one process; more are told to come later (503)
OCPP_CAREFUL_BACKLOG = env.int(
    "OCPP_CAREFUL_BACKLOG", default=500
)  # messages waiting for a thread of the careful lane, beyond which boots are told to come later (Pending)
OCPP_CLOSE_GRACE_S = env.int(
    "OCPP_CLOSE_GRACE_S", default=60
)  # seconds the end of a connection waits for the database
OCPP_HANDSHAKES_PER_MINUTE_ID = env.int("OCPP_HANDSHAKES_PER_MINUTE_ID", default=5)  # failures per identity
OCPP_HANDSHAKES_PER_MINUTE_IP = env.int("OCPP_HANDSHAKES_PER_MINUTE_IP", default=10)  # failures per address
OCPP_STOP_GRACE_S = env.int(
    "OCPP_STOP_GRACE_S", default=600
)  # seconds after its end that readings belong to a session
# Sessions that nobody ends (stations/services/zombies.py): seconds after which a rule closes one; 0 turns a rule off.
OCPP_ZOMBIE_NEXT_START_S = env.int(
    "OCPP_ZOMBIE_NEXT_START_S", default=120
)  # after the next start on the EVSE
OCPP_ZOMBIE_AVAILABLE_S = env.int(
    "OCPP_ZOMBIE_AVAILABLE_S", default=300
)  # of a free connector: a stop may be late
OCPP_ZOMBIE_BOOT_S = env.int("OCPP_ZOMBIE_BOOT_S", default=600)  # after a boot without resuming
OCPP_ZOMBIE_SILENT_S = env.int("OCPP_ZOMBIE_SILENT_S", default=21_600)  # without a reading, station online
OCPP_ZOMBIE_OFFLINE_S = env.int(
    "OCPP_ZOMBIE_OFFLINE_S", default=259_200
)  # offline: it may be charging all the same
OCPP_ZOMBIE_LONG_S = env.int(
    "OCPP_ZOMBIE_LONG_S", default=604_800
)  # open: an operator is asked, nothing is closed
OCPP_SILENCE_FACTOR = env.float(
    "OCPP_SILENCE_FACTOR", default=2.5
)  # heartbeat intervals without a frame: silent
OCPP_READ_CONFIGURATION_AFTER_BOOT = env.bool(
    "OCPP_READ_CONFIGURATION_AFTER_BOOT", default=True
)  # GetConfiguration of a station never read, with new firmware, or rebooted to apply a change
OCPP_QUIRK_PROFILES = env.list(
    "OCPP_QUIRK_PROFILES", default=[]
)  # YAML files of own quirk profiles, read after stations/quirks/
OCPP_REMOTE_START_S = env.int(
    "OCPP_REMOTE_START_S", default=60
)  # seconds to plug in after an accepted remote start, where the station's ConnectionTimeOut is not known
OCPP_REMOTE_STOP_S = env.int(
    "OCPP_REMOTE_STOP_S", default=60
)  # seconds until an accepted remote stop without its StopTransaction counts as failed
OCPP_RESET_S = env.int("OCPP_RESET_S", default=300)  # seconds an accepted reset may take until the boot
OCPP_TOKEN_CACHE_S = env.int(
    "OCPP_TOKEN_CACHE_S", default=0
)  # seconds a station may keep an accepted token in its cache (expiryDate); 0: until the token's own expiry
OCPP_TOKEN_BYTE_ORDER = env.bool(
    "OCPP_TOKEN_BYTE_ORDER", default=False
)  # also try an unknown card's UID with its bytes turned round: some readers do
OCPP_STOP_LOST_TOKENS = env.bool(
    "OCPP_STOP_LOST_TOKENS", default=False
)  # stop a running session whose token is blocked or expires; else an operator is told
OCPP_CLEAR_CACHE_OF_BLOCKED = env.bool(
    "OCPP_CLEAR_CACHE_OF_BLOCKED", default=False
)  # ClearCache at the stations that saw a token which is blocked now
OCPP_LOCAL_LIST = env.bool(
    "OCPP_LOCAL_LIST", default=False
)  # keep local authorization lists in all stations; sites and stations may differ
OCPP_LOCAL_LIST_CHECK_S = env.int(
    "OCPP_LOCAL_LIST_CHECK_S", default=86_400
)  # seconds between questions for a list's version while nothing happens
OCPP_LOCAL_LIST_RETRY_S = env.float(
    "OCPP_LOCAL_LIST_RETRY_S", default=60.0
)  # seconds after the first failure of an update; doubled with each further one
JOURNAL_RETENTION_DAYS = env.int(
    "JOURNAL_RETENTION_DAYS", default=90
)  # days; older frame partitions are dropped

SITE_LIMIT_LEASE_S = env.int(
    "SITE_LIMIT_LEASE_S", default=300
)  # seconds a limit of the load balancer holds; then the safe one does: what happens while we are away
SITE_METER_STALE_S = env.int(
    "SITE_METER_STALE_S", default=300
)  # seconds after which a building's reading is no longer believed
SITE_METER_DAYS = env.int(
    "SITE_METER_DAYS", default=62
)  # days readings of buildings are kept, to be replayed
OCPP_COST_INTERVAL_S = env.float(
    "OCPP_COST_INTERVAL_S", default=60.0
)  # seconds between two running costs that a station is told (I02); 0: only the total at the end
OCPP_RECEIPT_URL = env.str(
    "OCPP_RECEIPT_URL", default=f"{PUBLIC_URL}/pay/r/{{id}}"
)  # with {id}: where a driver finds a receipt of ours

# Questions that travel against the flow (docs/architecture.md): dotted paths, asked in order.
AUTHORIZERS = [
    "stations.services.authorization.local_token",
    "stations.services.direct_payments.paid_token",
    "roaming.authorize.partner_token",
]
COST_SOURCE = "billing.services.costs.running_cost"
TARIFF_SOURCE = "billing.services.driver_tariffs.of_driver"
VAT_SOURCE = env.str(
    "VAT_SOURCE", default="stations.services.vat_numbers.check_form"
)  # is this a VAT number, and whose? Also stations.services.vat_lookup.look_up
VAT_LOOKUP_URL = env.str(
    "VAT_LOOKUP_URL", default="https://ec.europa.eu/taxation_customs/vies/rest-api"
)  # of vat_lookup: VIES, or what answers like it
VAT_LOOKUP_TIMEOUT_S = env.float("VAT_LOOKUP_TIMEOUT_S", default=3.0)  # seconds a driver waits for it
VAT_LOOKUP_KEEP_S = env.int("VAT_LOOKUP_KEEP_S", default=86_400)  # seconds an answer of it is believed
LOCAL_LIST_PARTIES = "roaming.authorize.listed_parties"  # partners whose tokens stations may keep
ID_TOKEN_LENGTH = "stations.ocpp.outbound.id_token_length"  # noqa: S105 - how long a token can be in a version's words
COMMAND_CHECK = "stations.ocpp.outbound.check"  # does this request fit the station's OCPP version?
COMMAND_OUTCOME = "stations.ocpp.outbound.outcome"  # who hears what became of a command
COMMAND_PASSWORDS = "stations.ocpp.outbound.passwords"  # where in a request a station's password stands
COMMAND_WRITER = (
    "stations.ocpp.outbound.write"  # a request of a service: its action and payload in that version
)

# --- files of stations: firmware, logs -----------------------------------------------------------------------------

FILES_ROOT = Path(
    env.str("FILES_ROOT", default=str(Path(env.str("VAR", default=str(BASE_DIR / "var"))) / "media"))
)  # one folder for all processes; nothing else may lie in it
FILES_URL = env.str("FILES_URL", default=PUBLIC_URL).rstrip("/")  # how stations reach /files/
FILES_LINK_S = env.int("FILES_LINK_S", default=3600)  # seconds a link for one transfer works
FILES_MAX_BYTES = env.int("FILES_MAX_BYTES", default=200_000_000)  # bytes of one file
FILES_QUOTA_BYTES = env.int("FILES_QUOTA_BYTES", default=10_000_000_000)  # bytes of all files together
FILES_PER_STATION = env.int(
    "FILES_PER_STATION", default=50
)  # logs kept of one station; older ones are deleted
FILES_RETENTION_DAYS = env.int("FILES_RETENTION_DAYS", default=90)  # days a log is kept
CUSTOMER_INFORMATION_RETENTION_DAYS = env.int(
    "CUSTOMER_INFORMATION_RETENTION_DAYS", default=30
)  # days after which what stations told about customers is deleted (2.x N09)
FILES_TRANSFER_S = env.int("FILES_TRANSFER_S", default=3600)  # seconds one transfer may take at most
FILES_STALL_S = env.int("FILES_STALL_S", default=30)  # seconds over which the slowest rate is measured
FILES_MIN_RATE = env.int("FILES_MIN_RATE", default=256)  # bytes per second; slower ones are cut off
FILES_EXTERNAL_HOSTS = env.list(
    "FILES_EXTERNAL_HOSTS", default=[]
)  # file servers of others that stations may be sent to; none by default
FIRMWARE_ALLOW_UNSIGNED = env.bool(
    "FIRMWARE_ALLOW_UNSIGNED", default=False
)  # UpdateFirmware of OCPP 1.6, whose file nobody can check
FIRMWARE_PATIENCE_S = env.int(
    "FIRMWARE_PATIENCE_S", default=86_400
)  # seconds without a word until an update counts as halted

# --- certificates (docs/operations.md) -----------------------------------------------------------------------------

CERTIFICATE_AUTHORITY = env.str(
    "CERTIFICATE_AUTHORITY", default="stations.services.local_ca.LocalAuthority"
)  # who signs stations' certificates: also local_ca.FileAuthority, external_ca.ExternalAuthority
CERTIFICATE_AUTHORITY_FOLDER = env.str("CERTIFICATE_AUTHORITY_FOLDER", default="")  # of FileAuthority's keys
CERTIFICATE_AUTHORITY_PASSWORD = env.str("CERTIFICATE_AUTHORITY_PASSWORD", default="")  # of those keys
CERTIFICATE_AUTHORITY_URL = env.str("CERTIFICATE_AUTHORITY_URL", default="")  # of ExternalAuthority
CERTIFICATE_AUTHORITY_STYLE = env.str(
    "CERTIFICATE_AUTHORITY_STYLE", default="est"
)  # how it is asked: est, json
CERTIFICATE_AUTHORITY_TOKEN = env.str(
    "CERTIFICATE_AUTHORITY_TOKEN", default=""
)  # what it knows us by: `user:password` or a bearer token
CERTIFICATE_AUTHORITY_TLS_ROOTS = env.str(
    "CERTIFICATE_AUTHORITY_TLS_ROOTS", default=""
)  # PEM file of roots for its TLS; none: the usual ones
CERTIFICATE_AUTHORITY_CRL_URL = env.str("CERTIFICATE_AUTHORITY_CRL_URL", default="")  # its revocation list
CERTIFICATE_AUTHORITY_TIMEOUT_S = env.int(
    "CERTIFICATE_AUTHORITY_TIMEOUT_S", default=20
)  # seconds of one request
CERTIFICATE_ROOT_DAYS = env.int("CERTIFICATE_ROOT_DAYS", default=7300)  # days our root is valid
CERTIFICATE_ISSUING_DAYS = env.int(
    "CERTIFICATE_ISSUING_DAYS", default=3650
)  # days what signs for it is valid
CERTIFICATE_STATION_DAYS = env.int(
    "CERTIFICATE_STATION_DAYS", default=365
)  # days a station's certificate is valid
CERTIFICATE_V2G_DAYS = env.int(
    "CERTIFICATE_V2G_DAYS", default=90
)  # days; vehicles expect short ones (ISO 15118-2)
CERTIFICATE_RENEW_DAYS = env.int(
    "CERTIFICATE_RENEW_DAYS", default=30
)  # days before expiry that a station is asked for a new request; 0: never
CERTIFICATE_REQUESTS_PER_HOUR = env.int(
    "CERTIFICATE_REQUESTS_PER_HOUR", default=6
)  # requests of one station; more are refused
CERTIFICATE_ORGANIZATIONS = env.list(
    "CERTIFICATE_ORGANIZATIONS", default=[]
)  # organisations (O) beside the operator's own whose stations we believe
CERTIFICATE_OCSP_URL = env.str(
    "CERTIFICATE_OCSP_URL", default=f"{PUBLIC_URL}/pki/ocsp"
)  # written into what our authority signs
CERTIFICATE_STATUS = env.str(
    "CERTIFICATE_STATUS", default="stations.services.certificate_status.Responders"
)  # who answers for the status of certificates (OCSP)
CERTIFICATE_STATUS_HOSTS = env.list(
    "CERTIFICATE_STATUS_HOSTS", default=[]
)  # hosts of OCSP responders that stations may have us ask; none: all public ones
CONTRACT_CERTIFICATE_POOL = env.str(
    "CONTRACT_CERTIFICATE_POOL", default=""
)  # class that fetches contract certificates for vehicles; none: they are told that it failed
CONTRACT_POOL_URL = env.str("CONTRACT_POOL_URL", default="")  # address of HttpPool
CONTRACT_POOL_STYLE = env.str("CONTRACT_POOL_STYLE", default="json")  # how it is asked: json, opcp
CONTRACT_POOL_TOKEN = env.str("CONTRACT_POOL_TOKEN", default="")  # bearer token by which it knows us
CONTRACT_POOL_TIMEOUT_S = env.int(
    "CONTRACT_POOL_TIMEOUT_S", default=4
)  # seconds for its answer; a vehicle of ISO 15118-2 waits 5

# --- billing -------------------------------------------------------------------------------------------------------

BILLING_WAIT_S = env.int(
    "BILLING_WAIT_S", default=120
)  # seconds that a stop without a register waits for one
BILLING_MOST_POWER_W = env.int(
    "BILLING_MOST_POWER_W", default=500_000
)  # W of a connector that nobody described: more energy than it gives in the time is held
BILLING_MARGIN_PERCENT = env.int(
    "BILLING_MARGIN_PERCENT", default=120
)  # percent of what a connector can give in the time; 0 holds nothing

# --- ad hoc payment (docs/operations.md) -----------------------------------------------------------------------------

PAYMENT_PROVIDER = env.str(
    "PAYMENT_PROVIDER", default=""
)  # class: billing.psp.gateway.Gateway, billing.psp.stripe.Stripe; none: nobody can pay on the web
PAYMENT_PROVIDER_URL = env.str("PAYMENT_PROVIDER_URL", default="")  # of its HTTP API
PAYMENT_PROVIDER_KEY = env.str("PAYMENT_PROVIDER_KEY", default="")  # what it knows us by
PAYMENT_WEBHOOK_SECRET = env.str("PAYMENT_WEBHOOK_SECRET", default="")  # with which it signs its notices
PAYMENT_TIMEOUT_S = env.float("PAYMENT_TIMEOUT_S", default=10.0)  # seconds of one request to it
PAYMENT_AMOUNT = env.str(
    "PAYMENT_AMOUNT", default="50.00"
)  # authorised before charging, in the tariff's currency; a driver may choose less
PAYMENT_OPEN_S = env.int("PAYMENT_OPEN_S", default=900)  # seconds a driver has to pay
PAYMENT_START_S = env.int(
    "PAYMENT_START_S", default=900
)  # seconds after which a payment is released whose station says nothing
PAYMENT_TICKET_S = env.int(
    "PAYMENT_TICKET_S", default=600
)  # seconds from scanning a dynamic code to the button that pays
PAYMENT_LOCK_S = env.int(
    "PAYMENT_LOCK_S", default=120
)  # seconds a station may keep an EVSE for somebody who pays on the web
PAYMENT_PAGES_PER_MINUTE = env.int(
    "PAYMENT_PAGES_PER_MINUTE", default=240
)  # of one address: many telephones share one
PAYMENT_CHECKOUTS_PER_MINUTE = env.int("PAYMENT_CHECKOUTS_PER_MINUTE", default=20)  # of one address
SETTLEMENT_WAIT_S = env.int(
    "SETTLEMENT_WAIT_S", default=86_400
)  # seconds after which a terminal's payment without a settlement, or the other way round, is work for somebody
EMAIL_URL = env.str("EMAIL_URL", default="")  # smtp+tls://user:secret@host:587; none: no receipts by mail
EMAIL_FROM = env.str("EMAIL_FROM", default="")  # sender of receipts
if EMAIL_URL:
    vars().update(env.email_url_config(EMAIL_URL))
    DEFAULT_FROM_EMAIL = EMAIL_FROM

# --- OCPI ----------------------------------------------------------------------------------------------------------

INTEGRATIONS_ALLOW_PRIVATE_IPS = env.bool(
    "INTEGRATIONS_ALLOW_PRIVATE_IPS", default=False
)  # loopback: demo, tests
OCPI_TIMEOUT_S = env.int("OCPI_TIMEOUT_S", default=10)  # seconds for one request to a partner
OCPI_PAGE_LIMIT = env.int("OCPI_PAGE_LIMIT", default=100)  # objects in a page at most
OCPI_BODY_LIMIT = env.int("OCPI_BODY_LIMIT", default=5 * 1024 * 1024)  # bytes read from a partner at most
OCPI_SESSION_PUSH_S = env.int(
    "OCPI_SESSION_PUSH_S", default=30
)  # seconds between pushes of one running session
OCPI_ALLOWED_PORTS = env.list(
    "OCPI_ALLOWED_PORTS", cast=int, default=[443, 8443]
)  # where partners may listen
OCPI_AUTHORIZE_S = env.float(
    "OCPI_AUTHORIZE_S", default=3.0
)  # seconds a driver waits for real-time authorization
OCPI_TOKEN_PULL_S = env.int(
    "OCPI_TOKEN_PULL_S", default=900
)  # seconds between pulls of a partner's changed tokens
OCPI_EXCHANGE_RETENTION_DAYS = env.int(
    "OCPI_EXCHANGE_RETENTION_DAYS", default=30
)  # days; older exchanges are deleted

# --- operation -----------------------------------------------------------------------------------------------------

METRICS_ALLOWED_NETWORKS = env.list("METRICS_ALLOWED_NETWORKS", default=["127.0.0.0/8", "::1/128"])
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOG_JSON = env.bool("LOG_JSON", default=True)
LOGGING = logs.configure(LOG_LEVEL, json=LOG_JSON)
