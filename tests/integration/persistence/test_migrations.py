from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from htbot.domain.errors import ConfigurationError, StopTrading
from htbot.persistence import migrations
from htbot.persistence.engine import normalise_url
from htbot.persistence.rows import Base

OBJECTS = """
SELECT format('column %s.%s %s %s', table_name, column_name, data_type, is_nullable)
  FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT format('constraint %s %s', conrelid::regclass, pg_get_constraintdef(oid))
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 't'
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT format('trigger %s %s', tgrelid::regclass, tgname) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT format('function %s', proname) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
ORDER BY 1
"""


def objects(url: str) -> list[str]:
    engine = create_engine(normalise_url(url))
    with engine.connect() as connection:
        found = [line for (line,) in connection.execute(text(OBJECTS))]
    engine.dispose()
    return [line for line in found if "alembic_version" not in line]


def without_triggers(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.startswith(("trigger", "function"))]


def test_migrations_and_row_classes_describe_the_same_record(fresh_database_url: str, empty_database_url: str) -> None:
    engine = create_engine(normalise_url(empty_database_url))
    Base.metadata.create_all(engine)
    engine.dispose()
    assert without_triggers(objects(fresh_database_url)) == objects(empty_database_url)


def test_alembic_check_finds_no_drift(fresh_database_url: str) -> None:
    migrations.check(fresh_database_url)


def test_alembic_check_finds_a_column_too_many(fresh_database_url: str) -> None:
    engine = create_engine(normalise_url(fresh_database_url))
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE signals ADD COLUMN hunch text"))
    engine.dispose()
    with pytest.raises(StopTrading, match="hunch"):
        migrations.check(fresh_database_url)


def test_down_leaves_nothing_and_up_again_is_the_same(fresh_database_url: str) -> None:
    before = objects(fresh_database_url)
    migrations.downgrade(fresh_database_url, "base")
    assert objects(fresh_database_url) == []
    migrations.upgrade(fresh_database_url)
    assert objects(fresh_database_url) == before


def test_upgrade_twice_changes_nothing(fresh_database_url: str) -> None:
    before = objects(fresh_database_url)
    migrations.upgrade(fresh_database_url)
    assert objects(fresh_database_url) == before
    assert migrations.current_revision(fresh_database_url) == migrations.head_revision()


def test_a_migration_that_fails_half_way_leaves_nothing(empty_database_url: str) -> None:
    engine = create_engine(normalise_url(empty_database_url))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE workers (name text)"))  # the last table of the migration is in its way
    engine.dispose()
    with pytest.raises(Exception, match="already exists"):
        migrations.upgrade(empty_database_url)
    assert objects(empty_database_url) == ["column workers.name text YES"]


def test_a_record_without_migrations_is_refused_with_the_way_out(empty_database_url: str) -> None:
    with pytest.raises(ConfigurationError, match="htbot db upgrade"):
        migrations.require_head(empty_database_url)


def test_a_migrated_record_is_accepted(fresh_database_url: str) -> None:
    migrations.require_head(fresh_database_url)
