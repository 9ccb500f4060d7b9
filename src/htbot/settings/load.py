"""Puts the sections together and checks what concerns more than one of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import annotated_types
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from htbot.domain.errors import ConfigurationError
from htbot.settings.api import ApiSettings
from htbot.settings.database import DatabaseSettings
from htbot.settings.endpoint import API_ROLE, APP_ROLE, read_endpoint
from htbot.settings.environment import Names, Variable, read_environment
from htbot.settings.gate import GateSettings
from htbot.settings.ib import IbSettings
from htbot.settings.limits import LimitSettings
from htbot.settings.mail import MailSettings
from htbot.settings.paper import PaperSettings, split_paths
from htbot.settings.paths import PathSettings
from htbot.settings.redis import RedisSettings
from htbot.settings.risk import PAPER_MAX_RISK_PER_DAY_USD, RiskSettings
from htbot.settings.schedule import ScheduleSettings
from htbot.settings.section import Section
from htbot.settings.strategy import StrategySettings
from htbot.telemetry.masking import hide_secret

SECTIONS: Mapping[str, type[Section]] = {
    "ib": IbSettings,
    "paper": PaperSettings,
    "strategy": StrategySettings,
    "risk": RiskSettings,
    "gate": GateSettings,
    "mail": MailSettings,
    "api": ApiSettings,
    "schedule": ScheduleSettings,
    "limits": LimitSettings,
    "database": DatabaseSettings,
    "redis": RedisSettings,
    "paths": PathSettings,
}


_API_FILES = ("HTBOT_API_TLS_CERT", "HTBOT_API_TLS_KEY")

_NEEDED: Mapping[str, str] = {
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "decimal_parsing": "must be a number",
    "bool_parsing": "must be true or false",
}
"""What a value must be, by pydantic's type of error, in words for people."""


class Settings(BaseModel):
    """Everything that a person can set, checked and frozen."""

    model_config = ConfigDict(frozen=True)

    ib: IbSettings
    paper: PaperSettings
    strategy: StrategySettings
    risk: RiskSettings
    gate: GateSettings
    mail: MailSettings
    api: ApiSettings
    schedule: ScheduleSettings
    limits: LimitSettings
    database: DatabaseSettings
    redis: RedisSettings
    paths: PathSettings

    @property
    def mode(self) -> str:
        """`paper gateway`, `paper` or `live`, as people read it."""
        return "paper gateway" if self.ib.builtin_paper else self.ib.trading_mode

    @property
    def strategy_enabled(self) -> bool:
        """Strategy 1 trades by itself on the built-in paper gateway only (RULINGS 27)."""
        return self.ib.builtin_paper if self.strategy.enabled is None else self.strategy.enabled

    @property
    def max_risk_per_day_usd(self) -> Decimal:
        """Limit of RULINGS 7; `load_settings` refuses live trading without one."""
        return self.risk.max_risk_per_day_usd or PAPER_MAX_RISK_PER_DAY_USD


def project_root() -> Path:
    """The folder with `pyproject.toml` that this package was installed from, else the current folder."""
    source = Path(__file__).resolve().parents[3]
    return source if (source / "pyproject.toml").exists() else Path.cwd()


def load_settings(
    root: Path | None = None, environ: Mapping[str, str] | None = None, command: Mapping[str, str] | None = None
) -> Settings:
    """Read, check and freeze all settings.

    Args:
        root: project folder, where `.env` is and relative paths begin; default: `project_root()`.
        environ: process environment; default: `os.environ`.
        command: settings that a command line gives, for this process only; they win.

    Raises:
        ConfigurationError: one line per mistake, with the variable's name, its value and what is allowed.
    """
    root = (root or project_root()).resolve()
    names = declared_names()
    given = read_environment(root, os.environ if environ is None else environ, names, command)
    values = {name: found.value for name, found in given.items()}
    for name in names.secrets & values.keys():
        hide_secret(values[name])
    problems: list[str] = []
    built: dict[str, Section] = {}
    for key, section in SECTIONS.items():
        try:
            built[key] = section(**_arguments(key, section, values, root))
        except ValidationError as error:
            problems += [_explain(section, detail, given) for detail in error.errors() if not _follows(detail, given)]
    if problems:
        raise ConfigurationError("\n".join(dict.fromkeys(problems)))
    settings = _with_embedded(Settings(**built))
    _check_across(settings)
    return settings


def declared_names() -> Names:
    """Every variable that exists, with its aliases; secrets are marked."""
    aliases: dict[str, tuple[str, ...]] = {}
    secrets: list[str] = []
    for section in SECTIONS.values():
        for name, field in variables(section):
            extra = field.json_schema_extra
            aliases[name] = tuple(str(alias) for alias in extra["aliases"]) if isinstance(extra, dict) else ()  # type: ignore[union-attr]
            if not field.repr or _holds_secret(field.annotation):
                secrets.append(name)
    return Names(aliases, secrets)


def variables(section: type[Section]) -> Iterator[tuple[str, FieldInfo]]:
    """Canonical name and field of each variable of a section, in order."""
    for field in section.model_fields.values():
        if isinstance(field.validation_alias, str):
            yield field.validation_alias, field


def _holds_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_holds_secret(part) for part in get_args(annotation))


def _arguments(key: str, section: type[Section], values: Mapping[str, str], root: Path) -> dict[str, Any]:
    found: dict[str, Any] = {name: values[name] for name, _ in variables(section) if name in values}
    if key == "ib" and not {"IB_HOST", "IB_PORT"} & values.keys():
        port = values.get("PAPER_CONNECT_PORT") or values.get("PAPER_PORT") or str(PaperSettings().port)
        found |= {"builtin_paper": True, "IB_PORT": port}
    elif key == "ib" and "IB_PORT" not in values and values.get("IB_TRADING_MODE", "").lower() == "live":
        found["IB_PORT"] = 4001
    elif key == "paths":
        found["root"] = root
        for name in ("HTBOT_VAR_DIR", "KILL_SWITCH_FILE"):
            found[name] = root / Path(values.get(name, "var" if name == "HTBOT_VAR_DIR" else "STOP")).expanduser()
    elif key == "paper" and "PAPER_DATA" in values:
        found["PAPER_DATA"] = tuple(root / path for path in split_paths(values["PAPER_DATA"]))
    if key == "gate" and "RISK_DIVIDENDS_FILE" in values:
        found["RISK_DIVIDENDS_FILE"] = root / Path(values["RISK_DIVIDENDS_FILE"]).expanduser()
    found |= {name: root / Path(found[name]).expanduser() for name in _API_FILES if name in found}
    if key == "paper" and "PAPER_FAULTS" in values:
        found["PAPER_FAULTS"] = root / values["PAPER_FAULTS"]
    return found


def _with_embedded(settings: Settings) -> Settings:
    postgres = read_endpoint(settings.paths.postgres)
    redis = read_endpoint(settings.paths.redis)
    for endpoint in (postgres, redis):
        for password in (endpoint.password, *endpoint.roles.values()) if endpoint else ():
            hide_secret(password)
    database = settings.database.model_copy(update=_embedded_urls(postgres.postgres_url if postgres else None))
    cache = settings.redis.model_copy(update=_embedded_urls(redis.redis_url if redis else None))
    return settings.model_copy(update={"database": database, "redis": cache})


def _embedded_urls(url_of: Callable[[str | None], str] | None) -> dict[str, str]:
    """The owner's URL and those of the roles; nothing where there is no server yet."""
    if url_of is None:
        return {}
    names = {"embedded_url": None, "embedded_app_url": APP_ROLE, "embedded_api_url": API_ROLE}
    return {field: url_of(role) for field, role in names.items()}


def _check_across(settings: Settings) -> None:
    problems = _only_on_our_own_gateway(settings)
    if settings.strategy.daily_loss_limit_usd > settings.risk.daily_loss_limit_usd:
        problems.append(
            f"HTBOT_DAILY_LOSS_LIMIT={settings.strategy.daily_loss_limit_usd} is above the account's"
            f" DAILY_LOSS_LIMIT={settings.risk.daily_loss_limit_usd}"
        )
    if settings.strategy.quantity > settings.risk.max_order_qty:
        problems.append(f"HTBOT_QTY={settings.strategy.quantity} is above MAX_ORDER_QTY={settings.risk.max_order_qty}")
    if settings.ib.is_live and settings.risk.max_risk_per_day_usd is None:
        problems.append("IB_TRADING_MODE=live needs MAX_RISK_PER_DAY in USD: it has no default for live")
    if settings.ib.builtin_paper and settings.paper.port == settings.api.port:
        problems.append(f"PAPER_PORT={settings.paper.port} and HTBOT_API_PORT={settings.api.port} are the same port")
    if settings.ib.builtin_paper and settings.paper.control_port in {settings.paper.port, settings.api.port}:
        problems.append(f"PAPER_CONTROL_PORT={settings.paper.control_port} is another server's port: take a free one")
    if settings.ib.builtin_paper:
        problems += [f"PAPER_DATA={path}: no such file" for path in settings.paper.data if not path.is_file()]
    if settings.ib.builtin_paper and settings.paper.faults is not None and not settings.paper.faults.is_file():
        problems.append(f"PAPER_FAULTS={settings.paper.faults}: no such file")
    if settings.paths.failpoints is not None and not settings.ib.builtin_paper:
        problems.append(
            f"HTBOT_FAILPOINTS={settings.paths.failpoints} is for the built-in paper gateway only: remove it"
        )
    problems += _tls_files(settings.api)
    if problems:
        raise ConfigurationError("\n".join(problems))


def _tls_files(api: ApiSettings) -> list[str]:
    """What is wrong with certificate and key as files."""
    files = zip(_API_FILES, (api.certificate, api.key), strict=True)
    problems = [f"{name}={path}: no such file" for name, path in files if path is not None and not path.is_file()]
    if not problems and api.key is not None and api.key.stat().st_mode & 0o007:
        problems.append(f"HTBOT_API_TLS_KEY={api.key} is open to everybody on this machine: chmod 600 {api.key}")
    return problems


def _only_on_our_own_gateway(settings: Settings) -> list[str]:
    """What is refused anywhere but on the built-in paper gateway (RULINGS 33)."""
    if settings.ib.builtin_paper:
        return []
    problems = []
    if settings.risk.profile != "standard":
        problems.append(
            f"RISK_PROFILE={settings.risk.profile} is for the built-in paper gateway only: it is refused beside"
            f" IB_HOST and IB_PORT ({settings.ib.host}:{settings.ib.port}), remove it"
        )
    if settings.paper.connect_port is not None:
        problems.append(
            f"PAPER_CONNECT_PORT={settings.paper.connect_port} is for the built-in paper gateway only: set IB_PORT to"
            " the proxy's port instead"
        )
    return problems


def _follows(detail: ErrorDetails, given: Mapping[str, Variable]) -> bool:
    """True for the port that follows PAPER_PORT: the mistake is told there, by the name that was given."""
    return detail["loc"][:1] == ("IB_PORT",) and "IB_PORT" not in given


def _explain(section: type[Section], detail: ErrorDetails, given: Mapping[str, Variable]) -> str:
    """One line for one validation error: name, value, what is allowed, where it was set."""
    text = detail["msg"].removeprefix("Value error, ")
    name = str(detail["loc"][0]) if detail["loc"] else ""
    found = given.get(name)
    if found is None:
        return text
    field = next(field for declared, field in variables(section) if declared == name)
    shown = declared_names().printable(found)
    if detail["type"] in {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}:
        return f"{shown} is out of range: {allowed_range(field)}"
    if detail["type"] in {"too_short", "string_too_short"}:
        return f"{shown} is too short: at least {detail['ctx']['min_length']} characters"
    if detail["type"] == "literal_error":
        return f"{shown}: must be {detail['ctx']['expected'].replace(chr(39), '')}"
    return f"{shown}: {_NEEDED.get(detail['type'], text)}"


def allowed_range(field: FieldInfo) -> str:
    """`1 to 65535`, `above 0 up to 100`: the limits of a field as people read them."""
    lower, upper = "", ""
    for limit in field.metadata:
        if isinstance(limit, annotated_types.Ge):
            lower = f"{limit.ge}"
        elif isinstance(limit, annotated_types.Gt):
            lower = f"above {limit.gt}"
        elif isinstance(limit, annotated_types.Le):
            upper = f"{limit.le}"
    if lower.startswith("above"):
        return f"{lower} up to {upper}" if upper else lower
    return f"{lower} to {upper}" if upper else f"at least {lower}"
