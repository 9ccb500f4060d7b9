"""Commands of strategies on shares, funds and options: list, types, show, add, set, enable, disable, remove."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from htbot.cli.flags import taking
from htbot.cli.opening import actor, people
from htbot.cli.output import Json, plain, print_facts, print_json, print_table
from htbot.cli.pairs import pairs

if TYPE_CHECKING:
    from htbot.persistence.records import StrategyInstance
    from htbot.services.callers import Caller

strategies = typer.Typer(help="Strategies on shares, funds and options.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the instance.")]
Given = Annotated[list[str] | None, typer.Option("--set", help="A setting as name=value; repeatable.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(strategies, name="strategies")


@strategies.command("list")
def list_instances(as_json: Json = False) -> None:
    """Every instance, and what it said last."""
    with people() as opened:
        found = opened.strategies.states()
    if as_json:
        print_json([{**_document(one.instance), "as_of": one.as_of, "why_not": one.why_not} for one in found])
        return
    columns = ("name", "type", "symbol", "bars", "account", "enabled", "mode", "looked at", "why nothing happened")
    rows = (
        [
            *(one.instance.name, one.instance.type, one.instance.symbol, f"{one.instance.minutes} min"),
            one.instance.account or "main",
            *(one.instance.enabled, one.instance.mode, one.as_of, one.why_not or ("a signal" if one.as_of else None)),
        ]
        for one in found
    )
    print_table("Strategies", columns, rows)


@strategies.command("types")
def types(name: Annotated[str | None, typer.Argument(help="One type.")] = None, as_json: Json = False) -> None:
    """What instances can be made of: built in, in examples/strategies, in HTBOT_STRATEGY_PATH."""
    from htbot.bootstrap.catalogue import strategies as catalogue_of
    from htbot.services.strategy_types import types_in

    found = types_in(catalogue_of(), name)
    if as_json:
        print_json(found)
    elif name is None:
        print_table("Types", ("name", "trades", "what it does"), map(_type_row, found))
        print("\nhtbot strategies types NAME: when it enters and leaves, and its settings")
    else:
        _print_type(found[0])


_TRADES = {"plain": "stocks, funds", "options": "options"}


def _type_row(described: dict[str, Any]) -> tuple[str, str, str]:
    return described["name"], _TRADES[described["instruments"]], described["description"]


def _print_type(described: dict[str, Any]) -> None:
    """What a type does, and each setting as people need it to choose a value."""
    told = {"Type": "name", "Does": "description", "Enters": "enters", "Leaves": "leaves"}
    print_facts((label, described[key]) for label, key in told.items() if described[key])
    print()
    columns = ("name", "default", "values", "unit", "what it is")
    rows = ([one["name"], _default(one), values_of(one), one["unit"], one["meaning"]] for one in described["settings"])
    print_table("Settings", columns, rows)


def _default(setting: dict[str, Any]) -> str:
    default = setting["default"]
    if default is None:
        return "none"
    return str(default)[: len("HH:MM")] if setting["type"] == "time" else plain(default)


def values_of(setting: dict[str, Any]) -> str:
    """What a setting may be: a range, choices, or how it is written."""
    told = {"boolean": "yes, no", "time": "HH:MM"}.get(setting["type"], "any")
    if "low" in setting:
        told = f"{setting['low']:,} to {setting['high']:,}"
    elif "choices" in setting:
        told = ", ".join(str(choice) for choice in setting["choices"])
    return f"{told}, none" if setting["optional"] else told


@strategies.command("show")
def show(name: Name, as_json: Json = False) -> None:
    """One instance with every setting in force."""
    with people() as opened:
        found, in_force = opened.strategies.show(name)
    if as_json:
        print_json({**_document(found), "in_force": in_force})
        return
    _print(found)
    print_table(
        "Settings", ("name", "value", "given"), ([key, value, key in found.settings] for key, value in in_force.items())
    )


@dataclass(frozen=True, slots=True)
class AddFlags:
    """Options of `htbot strategies add`."""

    name: Name
    type_name: Annotated[str, typer.Option("--type", help="A type: htbot strategies types.")]
    symbol: Annotated[str, typer.Option(help="Stock, fund or index, as IB writes it.")]
    given: Given = None
    account: Annotated[str | None, typer.Option(help="Account to trade; default: the main one, IB_ACCOUNT.")] = None
    enable: Annotated[bool, typer.Option("--enable", help="Watch it from now on.")] = False
    as_json: Json = False


def add(flags: AddFlags) -> None:
    """Add an instance; it is disabled unless --enable is given."""
    from htbot.services.strategies import NewStrategy

    values = pairs("--set", flags.given or ())
    asked = NewStrategy(flags.name, flags.type_name, flags.symbol, values, flags.enable, account=flags.account)
    with people() as opened:
        made = opened.strategies.add(asked, _caller())
    _tell(made, flags.as_json)
    if not (flags.as_json or flags.enable):
        print(f"it is disabled: htbot strategies enable {flags.name}")


strategies.command("add")(taking(AddFlags, add))


@strategies.command("set")
def set_values(
    name: Name,
    values: Annotated[list[str] | None, typer.Argument(help="Settings as name=value.")] = None,
    unset: Annotated[list[str] | None, typer.Option("--unset", help="Back to its default; repeatable.")] = None,
    as_json: Json = False,
) -> None:
    """Change settings; they count from the next evaluation on."""
    with people() as opened:
        _tell(opened.strategies.change(name, pairs("set", values or ()), _caller(), unset or ()), as_json)


@strategies.command("mode")
def set_mode(
    name: Name,
    mode: Annotated[str, typer.Argument(help="observe: record its signals; trade: put its entries before the gate.")],
    as_json: Json = False,
) -> None:
    """Whether an instance is only watched, or trades; it begins anew with the next evaluation."""
    with people() as opened:
        _tell(opened.strategies.set_mode(name, mode, _caller()), as_json)


@strategies.command("enable")
def enable(name: Name, as_json: Json = False) -> None:
    """Watch an instance from the next evaluation on."""
    with people() as opened:
        _tell(opened.strategies.switch(name, _caller(), enabled=True), as_json)


@strategies.command("disable")
def disable(name: Name, as_json: Json = False) -> None:
    """Watch an instance no more."""
    with people() as opened:
        _tell(opened.strategies.switch(name, _caller(), enabled=False), as_json)


@strategies.command("remove")
def remove(name: Name, as_json: Json = False) -> None:
    """Forget an instance; its evaluations and signals stay."""
    with people() as opened:
        removed = opened.strategies.remove(name, _caller())
    print_json({"removed": removed.name}) if as_json else print(f"strategy {removed.name} is removed")


def _caller() -> Caller:
    from htbot.services.callers import Caller

    return Caller(actor())


def _tell(instance: StrategyInstance, as_json: bool) -> None:
    print_json(_document(instance)) if as_json else _print(instance)


_MODES = {
    "observe": "observe: signals are recorded and shown, nothing is sent",
    "trade": "trade: entries pass the risk gate and are sent",
}


def _print(instance: StrategyInstance) -> None:
    given = ", ".join(f"{name}={plain(value)}" for name, value in sorted(instance.settings.items()))
    print_facts(
        [
            ("Strategy", f"{instance.name}, a {instance.type} on {instance.symbol}, bars of {instance.minutes} min"),
            ("Enabled", instance.enabled),
            ("Mode", _MODES[instance.mode]),
            *([] if instance.account is None else [("Account", instance.account)]),
            ("Settings", given or "defaults"),
            ("Config", instance.config_hash),
            ("Changed", instance.changed_at),
        ]
    )


def _document(instance: StrategyInstance) -> dict[str, Any]:
    observed = instance.observed
    names = (
        "name",
        "type",
        "symbol",
        "minutes",
        "warm_up_bars",
        "settings",
        "config_hash",
        "enabled",
        "mode",
        "account",
    )
    return {
        **{name: getattr(instance, name) for name in names},
        "created_at": instance.created_at,
        "changed_at": instance.changed_at,
        "observed_since": None if observed is None else observed.since,
        "first_bar": None if observed is None else observed.first_bar,
    }
