"""Bodies of strategies' endpoints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from htbot.api.schemas.requests import Request, shown

InstanceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
TypeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,64}$")]
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9. ]{0,15}$")]
Account = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,3}[0-9]{4,12}$")]
SettingName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Value = (
    bool
    | Annotated[int, Field(ge=-(10**12), le=10**12)]
    | Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]
    | Annotated[str, StringConstraints(max_length=200, pattern=r"^[\x20-\x7e]*$")]
    | None
)
Settings = Annotated[dict[SettingName, Value], Field(max_length=64)]


class AddBody(Request):
    """A new instance of a type; settings left out have their defaults, the account is the main one."""

    model_config = shown(
        name="fast", type="ma_crossover", symbol="SPY", settings={"short_window": 5, "long_window": 20}, enabled=True
    )

    name: InstanceName
    type: TypeName
    symbol: Symbol
    settings: Settings = Field(default_factory=dict)
    enabled: bool = False
    account: Account | None = None


class SettingsBody(Request):
    """Settings to change, and names of those that go back to their defaults."""

    model_config = shown(settings={"long_window": 30}, unset=["exit_time"])

    settings: Settings = Field(default_factory=dict)
    unset: Annotated[list[SettingName], Field(max_length=64)] = Field(default_factory=list)


class ModeBody(Request):
    """Whether an instance is only watched (`observe`), or puts its entries before the gate (`trade`)."""

    model_config = shown(mode="trade")

    mode: Literal["observe", "trade"]


class EvaluateBody(Request):
    """An instance by its name, or a type on a symbol; `settings` count on top of the instance's own."""

    model_config = shown(type="ma_crossover", symbol="SPY", settings={"long_window": 30})

    name: InstanceName | None = None
    type: TypeName | None = None
    symbol: Symbol | None = None
    settings: Settings = Field(default_factory=dict)
