"""The Celery application and its time table: sweeps are the guarantee, everything else is a nudge."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cpo.settings")

app = Celery("opencpo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["stations", "billing", "roaming"])

app.conf.beat_schedule = {
    # name: task, seconds between runs
    "expire commands": {"task": "stations.tasks.expire_commands", "schedule": 5},
    "follow up what is awaited": {"task": "stations.tasks.follow_up", "schedule": 5},
    "find silent stations": {"task": "stations.tasks.find_silent_stations", "schedule": 30},
    "close zombie sessions": {"task": "stations.tasks.close_zombies", "schedule": 30},
    "tell running costs": {"task": "stations.tasks.tell_costs", "schedule": 10},
    "enforce limits of sessions": {"task": "stations.tasks.enforce_limits", "schedule": 5},
    "look after energy": {"task": "stations.tasks.look_after_energy", "schedule": 30},
    "match stops without a start": {"task": "stations.tasks.match_stops", "schedule": 10},
    "fit configuration templates": {"task": "stations.tasks.fit_templates", "schedule": 10},
    "balance the load of sites": {"task": "stations.tasks.balance_load", "schedule": 5},
    "keep charging profiles": {"task": "stations.tasks.keep_charging_profiles", "schedule": 3},
    "recheck charging profiles": {"task": "stations.tasks.recheck_charging_profiles", "schedule": 30},
    "advance firmware campaigns": {"task": "stations.tasks.advance_campaigns", "schedule": 10},
    "end device reports": {"task": "stations.tasks.end_device_reports", "schedule": 60},
    "end display messages": {"task": "stations.tasks.end_display_messages", "schedule": 30},
    "forget customers": {"task": "stations.tasks.forget_customers", "schedule": 300},
    "look after files": {"task": "stations.tasks.look_after_files", "schedule": 60},
    "keep local lists": {"task": "stations.tasks.keep_local_lists", "schedule": 10},
    "remake local lists": {"task": "stations.tasks.remake_local_lists", "schedule": 600},
    "find lost permissions": {"task": "stations.tasks.find_lost_permissions", "schedule": 20},
    "sign and send certificates": {"task": "stations.tasks.sweep_certificates", "schedule": 10},
    "renew certificates": {"task": "stations.tasks.keep_certificates", "schedule": 300},
    "refresh certificate authority": {"task": "stations.tasks.refresh_authority", "schedule": 600},
    "make and drop partitions": {"task": "stations.tasks.maintain_partitions", "schedule": 3600},
    "end security changes": {"task": "stations.tasks.end_security_changes", "schedule": 15},
    "rotate passwords": {"task": "stations.tasks.rotate_passwords", "schedule": 60},
    "compare costs of stations": {"task": "billing.tasks.compare_station_costs", "schedule": 30},
    "bill ended sessions": {"task": "billing.tasks.sweep_unbilled", "schedule": 10},
    "advance payments": {"task": "billing.tasks.sweep_payments", "schedule": 5},
    "compare settlements": {"task": "billing.tasks.sweep_settlements", "schedule": 60},
    "push to partners": {"task": "roaming.tasks.sweep_pushes", "schedule": 5},
    "mark stale pushes": {"task": "roaming.tasks.sweep_marks", "schedule": 30},
}


@worker_process_init.connect
def share_metrics(**_: Any) -> None:
    """Add what this worker process counts to the common numbers: it has no port to be asked at."""
    from django.conf import settings

    from cpo.lib import metrics_share

    metrics_share.start(settings.REDIS_URL)
