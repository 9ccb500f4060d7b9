from __future__ import annotations

import pytest

from htbot.domain.errors import ConfigurationError
from htbot.persistence.engine import EngineOptions, libpq_url, make_engine, normalise_url


@pytest.mark.parametrize(
    "spelling",
    ["postgresql://u:p%40ss@h:5433/db", "postgres://u:p%40ss@h:5433/db", "postgresql+psycopg://u:p%40ss@h:5433/db"],
)
def test_every_spelling_means_psycopg2(spelling: str) -> None:
    assert normalise_url(spelling) == "postgresql+psycopg2://u:p%40ss@h:5433/db"
    assert libpq_url(spelling) == "postgresql://u:p%40ss@h:5433/db"


@pytest.mark.parametrize("wrong", ["sqlite:///x.db", "mysql://u:secret@h/db"])
def test_another_database_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=r"DATABASE_URL names '(sqlite|mysql)'") as caught:
        normalise_url(wrong)
    assert "secret" not in str(caught.value)


def test_what_is_no_url_is_refused_without_being_repeated() -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL is no URL") as caught:
        normalise_url("my secret")
    assert "my secret" not in str(caught.value)


def test_an_engine_connects_only_when_it_is_used_and_hides_its_password() -> None:
    engine = make_engine("postgresql://u:secret@127.0.0.1:1/db", EngineOptions(pool_size=1))
    assert engine.dialect.driver == "psycopg2"
    assert "secret" not in repr(engine)
