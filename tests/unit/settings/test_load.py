from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pytest

from htbot.domain.errors import ConfigurationError
from htbot.settings import load_settings
from htbot.settings.endpoint import Endpoint, read_endpoint, write_endpoint
from htbot.settings.load import SECTIONS, declared_names, variables

LIVE = {
    "IB_HOST": "10.0.0.5",
    "IB_PORT": "4001",
    "IB_TRADING_MODE": "live",
    "IB_ACCOUNT": "U1234567",
    "LIVE_TRADING_CONFIRM": "U1234567",
    "MAX_RISK_PER_DAY": "5000",
}


def refused(environ: dict[str, str], root: Path = Path("/nonexistent")) -> str:
    with pytest.raises(ConfigurationError) as error:
        load_settings(root, environ)
    return str(error.value)


@pytest.mark.fault(44)
def test_with_nothing_set_it_is_the_built_in_paper_gateway(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    assert settings.ib.builtin_paper
    assert (settings.ib.host, settings.ib.port) == ("127.0.0.1", 4102)
    assert settings.mode == "paper gateway"
    assert settings.strategy_enabled
    assert settings.max_risk_per_day_usd == 12_000
    assert settings.paths.var == tmp_path / "var"
    assert settings.paths.kill_switch_file == tmp_path / "STOP"


def test_the_paper_port_moves_the_session_with_it(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {"PAPER_PORT": "24102"}).ib.port == 24102


def test_elsewhere_the_strategy_is_switched_on_by_hand(tmp_path: Path) -> None:  # RULINGS 27
    assert not load_settings(tmp_path, {"IB_PORT": "4002"}).strategy_enabled
    assert load_settings(tmp_path, {"IB_PORT": "4002", "HTBOT_ENABLED": "true"}).strategy_enabled
    assert not load_settings(tmp_path, {"HTBOT_ENABLED": "no"}).strategy_enabled


def test_live_with_everything_that_it_needs(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, LIVE)
    assert settings.ib.is_live
    assert settings.max_risk_per_day_usd == 5000


@pytest.mark.fault(44)
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"IB_PORT": "4002"}, "IB_PORT=4002"),
        ({"IB_PORT": "7497"}, "IB_PORT=7497"),
        ({"IB_PORT": "5555"}, "IB_PORT=5555"),
        ({"IB_HOST": "", "IB_PORT": ""}, "IB_HOST and IB_PORT"),
        ({"IB_ACCOUNT": ""}, "IB_ACCOUNT"),
        ({"IB_ACCOUNT": "DU123456", "LIVE_TRADING_CONFIRM": "DU123456"}, "DU123456"),
        ({"LIVE_TRADING_CONFIRM": ""}, "LIVE_TRADING_CONFIRM=U1234567"),
        ({"LIVE_TRADING_CONFIRM": "U7654321"}, "LIVE_TRADING_CONFIRM=U1234567"),
        ({"MAX_RISK_PER_DAY": ""}, "MAX_RISK_PER_DAY"),
        ({"IB_ACCOUNTS": "U7654321"}, "LIVE_TRADING_CONFIRM=U1234567,U7654321"),
        ({"IB_ACCOUNTS": "DU654321"}, "IB_ACCOUNTS, a live one: it is DU654321"),
    ],
)
def test_live_without_one_of_them_is_refused(change: dict[str, str], named: str) -> None:
    assert named in refused({**LIVE, **change})


@pytest.mark.fault(44)
@pytest.mark.parametrize("port", ["7496", "4001", "4003"])
def test_a_live_port_in_paper_mode_is_refused(port: str) -> None:
    assert f"IB_PORT={port} is a live port" in refused({"IB_PORT": port})


@pytest.mark.fault(44)
def test_a_live_account_in_paper_mode_is_refused() -> None:
    assert "IB_ACCOUNT=U1234567" in refused({"IB_PORT": "4002", "IB_ACCOUNT": "U1234567"})


def test_every_account_is_confirmed_in_whatever_order(tmp_path: Path) -> None:
    confirmed = {"IB_ACCOUNTS": "U7654321, U1111111", "LIVE_TRADING_CONFIRM": "U1111111,U1234567, U7654321"}
    assert load_settings(tmp_path, LIVE | confirmed).ib.accounts == ("U1234567", "U7654321", "U1111111")


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"IB_ACCOUNTS": "DU2"}, "IB_ACCOUNTS=DU2 is no account"),
        ({"IB_ACCOUNTS": "DU2222222"}, "IB_ACCOUNTS=DU2222222 needs IB_ACCOUNT"),
        ({"IB_ACCOUNT": "DU1111111", "IB_ACCOUNTS": "DU2222222,DU2222222"}, "names an account twice"),
        ({"IB_ACCOUNT": "DU1111111", "IB_ACCOUNTS": "U2222222"}, "IB_ACCOUNTS=U2222222 is no paper account"),
    ],
)
def test_more_accounts_that_cannot_be_are_refused(environ: dict[str, str], told: str) -> None:
    assert told in refused(environ)


def test_the_main_account_is_told_once(tmp_path: Path) -> None:
    environ = {"IB_ACCOUNT": "DU1111111", "IB_ACCOUNTS": "DU2222222,DU1111111"}
    assert load_settings(tmp_path, environ).ib.accounts == ("DU1111111", "DU2222222")
    assert load_settings(tmp_path, {}).ib.accounts == ()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("HTBOT_QTY", "0", "1 to 100"),
        ("IB_PORT", "99999", "1 to 65535"),
        ("IBKR_PORT", "0", "1 to 65535"),
        ("HTBOT_RSI_EMA_BULL", "100.5", "0 to 100"),
        ("HTBOT_STOP_LOSS", "0", "above 0 up to 100000"),
        ("HTBOT_API_PORT", "80", "1024 to 65535"),
        ("PAPER_SPEED", "0", "0.1 to 3600"),
        ("HTBOT_BAR_MINUTES", "4", "1, 2, 3, 5, 10 or 15"),
        ("RISK_MAX_SINGLE_POSITION_PCT", "0", "above 0 up to 100"),
        ("MARGIN_BUFFER_PCT", "101", "0 to 100"),
        ("MAX_REPEATED_ORDERS", "0", "1 to 1000"),
    ],
)
def test_out_of_range_names_variable_value_and_range(name: str, value: str, allowed: str) -> None:
    (line,) = refused({name: value}).splitlines()
    assert f"{name}={value}" in line
    assert allowed in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTBOT_SYMBOL", "IBM"),
        ("HTBOT_ENTRY_START", "25:00"),
        ("HTBOT_ENABLED", "maybe"),
        ("HTBOT_MIN_CREDIT", "nan"),
        ("MAX_RISK_PER_DAY", "inf"),
        ("PAPER_START", "yesterday"),
        ("PAPER_BAR", "five"),
        ("PAPER_ACCOUNTS", "U1234567"),
        ("LOG_LEVEL", "loud"),
        ("IB_TRADING_MODE", "test"),
        ("NOTIFICATION_EMAIL", "me@x.org\nBcc: you@x.org"),
        ("NO_TRADE_WINDOWS", "23:45"),
        ("NO_TRADE_WINDOWS", "23:45-24:45"),
        ("NO_TRADE_WINDOWS", "a-b-c"),
        ("MAX_LEVERAGE", "nan"),
        ("RISK_ACCOUNT_TYPE", "ira"),
        ("RISK_DAYTRADE_REGIME", "none"),
        ("MARGIN_FALLBACK", "yes"),
        ("RISK_DIVIDENDS_FILE", "missing.csv"),
    ],
)
def test_wrong_values_name_the_variable(name: str, value: str) -> None:
    lines = refused({name: value}).splitlines()
    assert name in lines[0]


def test_secrets_are_not_printed() -> None:
    said = refused({"HTBOT_API_TOKEN": "tooshort", "DATABASE_URL": "mysql://me:hidden@host/db"})
    assert "HTBOT_API_TOKEN=***" in said
    assert "tooshort" not in said
    assert "hidden" not in said


def test_the_strategys_limit_is_not_above_the_accounts() -> None:  # RULINGS 7
    said = refused({"HTBOT_DAILY_LOSS_LIMIT": "600", "DAILY_LOSS_LIMIT": "500"})
    assert "HTBOT_DAILY_LOSS_LIMIT=600" in said
    assert "DAILY_LOSS_LIMIT=500" in said


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"HTBOT_ENTRY_END": "09:45"}, "HTBOT_ENTRY_END"),
        ({"HTBOT_ENTRY_START": "09:00"}, "HTBOT_ENTRY_START"),
        ({"HTBOT_EXIT_TIME": "15:50"}, "HTBOT_EXIT_TIME=15:50"),
        ({"HTBOT_FLAT_DEADLINE": "16:10"}, "16:00"),
        ({"HTBOT_SYMBOL": "SPY", "HTBOT_FLAT_DEADLINE": "15:45"}, "15:30"),
        ({"HTBOT_FLAT_DEADLINE": "15:50"}, "SPX must be flat by 15:45"),
        ({"HTBOT_RSI_EMA_BEAR": "55"}, "HTBOT_RSI_EMA_BEAR=55"),
        ({"HTBOT_LONG_INDEX": "5"}, "HTBOT_SPREAD_WIDTH_STRIKES=8"),
        ({"HTBOT_QTY": "20"}, "MAX_ORDER_QTY=10"),
        ({"PAPER_MARKET": "replay"}, "PAPER_DATA"),
        ({"PAPER_DATA": "missing.csv"}, "missing.csv: no such file"),
        ({"PAPER_START": "2022-08-26T12:00", "PAPER_END": "2022-08-26T11:00"}, "PAPER_END"),
        ({"PAPER_START": "2022-08-26", "PAPER_END": "2022-08-25T16:00"}, "PAPER_END"),
        ({"PAPER_PORT": "8000"}, "HTBOT_API_PORT=8000"),
        ({"PAPER_CONTROL_PORT": "4102"}, "PAPER_CONTROL_PORT=4102 is another server's port"),
        ({"PAPER_CONTROL_PORT": "70000"}, "is out of range: 0 to 65535"),
        ({"PAPER_CONTROL_TOKEN": "short"}, "is too short: at least 20 characters"),
        ({"PAPER_FAULTS": "missing.yaml"}, "missing.yaml: no such file"),
        ({"SMTP_SERVER": "smtp.example.com"}, "NOTIFICATION_EMAIL"),
        ({"SMTP_PASSWORD": "x"}, "SMTP_USERNAME"),
    ],
)
def test_settings_that_contradict_each_other(environ: dict[str, str], named: str) -> None:
    assert named in refused(environ)


@pytest.mark.parametrize(
    ("symbol", "target", "stop", "credit", "flat"),
    [("SPX", 400, 200, Decimal("2.00"), time(15, 45)), ("QQQ", 40, 20, Decimal("0.20"), time(15, 30))],
)
def test_defaults_follow_the_underlying(
    tmp_path: Path, symbol: str, target: int, stop: int, credit: Decimal, flat: time
) -> None:  # RULINGS 22
    strategy = load_settings(tmp_path, {"HTBOT_SYMBOL": symbol}).strategy
    assert (strategy.profit_target_usd, strategy.stop_loss_usd) == (target, stop)
    assert strategy.min_credit_for(Decimal(40)) == credit
    assert strategy.flat_deadline == flat


def test_narrow_spx_spreads_have_a_floor_under_the_credit(tmp_path: Path) -> None:
    strategy = load_settings(tmp_path, {}).strategy
    assert strategy.min_credit_for(Decimal(5)) == Decimal("0.50")


def test_given_numbers_replace_the_defaults(tmp_path: Path) -> None:
    environ = {"HTBOT_PROFIT_TARGET": "300", "HTBOT_STOP_LOSS": "150.50", "HTBOT_MIN_CREDIT": "1"}
    strategy = load_settings(tmp_path, environ).strategy
    assert strategy.profit_target_usd == 300
    assert strategy.stop_loss_usd == Decimal("150.50")
    assert strategy.min_credit_for(Decimal(40)) == 1


def test_times_without_an_offset_are_new_yorks(tmp_path: Path) -> None:
    paper = load_settings(tmp_path, {"PAPER_START": "2022-08-26T09:30"}).paper
    assert paper.start == datetime(2022, 8, 26, 13, 30, tzinfo=UTC)


def test_a_date_is_a_session(tmp_path: Path) -> None:
    paper = load_settings(tmp_path, {"PAPER_START": "2022-08-26", "PAPER_END": "2022-08-26"}).paper
    assert paper.start == paper.end == date(2022, 8, 26)
    load_settings(tmp_path, {"PAPER_START": "2022-08-26", "PAPER_END": "2022-08-26T16:00"})


def test_data_files_mean_replay(tmp_path: Path) -> None:
    for name in ("a.parquet", "b.csv"):
        (tmp_path / name).touch()
    paper = load_settings(tmp_path, {"PAPER_DATA": "a.parquet, b.csv", "PAPER_SPEED": "max"}).paper
    assert paper.market == "replay"
    assert paper.data == (tmp_path / "a.parquet", tmp_path / "b.csv")
    assert paper.stepped


@pytest.mark.parametrize("scheme", ["postgresql://", "postgres://", "postgresql+psycopg://", "postgresql+psycopg2://"])
def test_the_database_driver_is_named(tmp_path: Path, scheme: str) -> None:
    database = load_settings(tmp_path, {"DATABASE_URL": f"{scheme}me:pw@db:5432/htb"}).database
    assert database.url == "postgresql+psycopg2://me:pw@db:5432/htb"
    assert not database.embedded


def test_one_redis_url_serves_for_both(tmp_path: Path) -> None:
    for name in ("REDIS_URL", "CELERY_BROKER_URL"):
        redis = load_settings(tmp_path, {name: "redis://localhost:6379/0"}).redis
        assert redis.url == redis.broker_url == "redis://localhost:6379/0"
        assert not redis.embedded
    both = load_settings(tmp_path, {"REDIS_URL": "redis://a/1", "CELERY_BROKER_URL": "redis://a/0"}).redis
    assert (both.url, both.broker_url) == ("redis://a/1", "redis://a/0")


def test_embedded_servers_are_found_by_what_the_installer_left(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    with pytest.raises(ConfigurationError, match=r"restart\.sh"):
        _ = settings.database.url
    with pytest.raises(ConfigurationError, match=r"restart\.sh"):
        _ = settings.redis.url
    for folder, port in ((settings.paths.postgres, 21000), (settings.paths.redis, 21001)):
        folder.mkdir(parents=True)
        write_endpoint(folder, Endpoint(port=port, password="secret"))
        assert (folder / "endpoint.json").stat().st_mode & 0o777 == 0o600
    settings = load_settings(tmp_path, {})
    assert settings.database.url == "postgresql+psycopg2://htbot:secret@127.0.0.1:21000/htbot"
    assert settings.redis.broker_url == "redis://htbot:secret@127.0.0.1:21001/0"


def test_a_damaged_endpoint_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "endpoint.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"endpoint\.json is damaged"):
        read_endpoint(tmp_path)


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("", ((time(23, 45), time(0, 45)),)),
        ("none", ()),
        (" 12:00 - 12:05 , 23:30-01:00", ((time(12), time(12, 5)), (time(23, 30), time(1)))),
    ],
)
def test_windows_without_trades(tmp_path: Path, text: str, windows: object) -> None:
    assert load_settings(tmp_path, {"NO_TRADE_WINDOWS": text}).gate.no_trade_windows == windows


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    with pytest.raises(ValueError, match="frozen"):
        settings.strategy.quantity = 5  # type: ignore[misc]


def test_no_secret_in_the_representation(tmp_path: Path) -> None:
    environ = {"DATABASE_URL": "postgresql://me:hidden-pw@db/htb", "HTBOT_API_TOKEN": "t" * 30}
    shown = repr(load_settings(tmp_path, environ))
    assert "hidden-pw" not in shown
    assert "t" * 30 not in shown


def test_names_are_unique_over_all_sections() -> None:
    names = [name for section in SECTIONS.values() for name, _ in variables(section)]
    aliases = declared_names().canonical
    assert len(names) == len(set(names))
    assert all(aliases[name] == name for name in names)


def test_the_desk_goes_through_a_proxy_where_one_is_named(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"PAPER_PORT": "24102", "PAPER_CONNECT_PORT": "24103"})
    assert (settings.paper.port, settings.ib.port, settings.ib.builtin_paper) == (24102, 24103, True)


@pytest.mark.ruling(33)
@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"RISK_PROFILE": "chaos"}, "RISK_PROFILE=chaos"),
        ({"PAPER_CONNECT_PORT": "24103"}, "PAPER_CONNECT_PORT=24103"),
    ],
)
@pytest.mark.parametrize("place", [{"IB_PORT": "4002"}, {"IB_HOST": "127.0.0.1"}])
def test_what_chaos_needs_is_refused_on_any_other_gateway(
    tmp_path: Path, given: dict[str, str], named: str, place: dict[str, str]
) -> None:
    assert load_settings(tmp_path, given).ib.builtin_paper
    with pytest.raises(ConfigurationError, match=named) as refused:
        load_settings(tmp_path, {**given, **place})
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.fault(61)
def test_each_process_has_a_role_of_its_own_in_the_embedded_server(tmp_path: Path) -> None:
    old = Endpoint(port=21000, password="secret")
    (tmp_path / "var/pg").mkdir(parents=True)
    write_endpoint(tmp_path / "var/pg", old)
    before = load_settings(tmp_path, {}).database
    assert before.app_url == before.api_url == before.url  # an installation of before there were roles
    write_endpoint(tmp_path / "var/pg", old.with_roles())
    database = load_settings(tmp_path, {}).database
    assert database.url == before.url
    assert len({database.url, database.app_url, database.api_url}) == 3
    assert "//htbot_api:" in database.api_url
    again = read_endpoint(tmp_path / "var/pg")
    assert again is not None
    assert again.with_roles() == again
    configured = load_settings(tmp_path, {"DATABASE_URL": "postgresql://me:pw@db/htb"}).database
    assert configured.url == configured.app_url == configured.api_url
