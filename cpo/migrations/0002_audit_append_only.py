"""The audit record is append-only in the database too: whoever gets at a connection cannot quietly change it."""

from django.db import migrations

FORWARD = """
create function cpo_auditevent_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'the audit record is append-only' using errcode = 'restrict_violation';
end $$;
create trigger cpo_auditevent_append_only before update or delete on cpo_auditevent
    for each row execute function cpo_auditevent_refuse();
"""

BACKWARD = """
drop trigger cpo_auditevent_append_only on cpo_auditevent;
drop function cpo_auditevent_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("cpo", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
