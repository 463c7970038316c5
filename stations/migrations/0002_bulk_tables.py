"""The partitioned bulk tables; parts are made by `stations.services.partitions`, odd times go to the default part."""

from django.db import migrations

FORWARD = """
create sequence stations_frame_id_seq;
create table stations_frame (
    at timestamptz not null,
    id bigint not null default nextval('stations_frame_id_seq'),
    station_id bigint not null,
    epoch bigint not null,
    direction char(1) not null,
    message_type smallint not null,
    message_id text not null,
    action text not null,
    text text not null,
    verdict text not null,
    primary key (at, id)
) partition by range (at);
create index frame_of_station on stations_frame (station_id, at desc, id desc);
create table stations_frame_default partition of stations_frame default;

create table stations_metersample (
    session_id bigint not null,
    sampled_at timestamptz not null,
    kind_id integer not null,
    evse_id bigint not null,
    value numeric(24, 6) not null,
    primary key (session_id, sampled_at, kind_id, evse_id)
) partition by range (sampled_at);
create table stations_metersample_default partition of stations_metersample default;
"""

BACKWARD = """
drop table stations_metersample;
drop table stations_frame;
drop sequence stations_frame_id_seq;
"""


class Migration(migrations.Migration):
    dependencies = [("stations", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
