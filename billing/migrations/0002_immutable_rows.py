"""The database itself refuses to change CDRs and tariff versions: raw SQL, the admin and a mistake all meet this."""

from django.db import migrations

FORWARD = """
create function billing_refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% rows are immutable', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger billing_cdr_immutable before update or delete on billing_cdr
    for each row execute function billing_refuse_change();
create trigger billing_tariffversion_immutable before update or delete on billing_tariffversion
    for each row execute function billing_refuse_change();
"""

BACKWARD = """
drop trigger billing_cdr_immutable on billing_cdr;
drop trigger billing_tariffversion_immutable on billing_tariffversion;
drop function billing_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
