"""Commands that set up: config check, db upgrade, token create, list and revoke."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Annotated, Any

import typer

from htbot.cli.failures import NotRunning
from htbot.cli.opening import actor, people, settings
from htbot.cli.output import Json, print_facts, print_json, print_table

config = typer.Typer(help="Settings.", no_args_is_help=True)
db = typer.Typer(help="The record in PostgreSQL.", no_args_is_help=True)
token = typer.Typer(help="Tokens of the REST API.", no_args_is_help=True)


class TokenRole(StrEnum):
    """Roles as the command line spells them (`htbot.services.tokens.Role`)."""

    viewer = "viewer"
    operator = "operator"
    admin = "admin"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(config, name="config")
    app.add_typer(db, name="db")
    app.add_typer(token, name="token")


@config.command("check")
def check(as_json: Json = False) -> None:
    """Read every setting as the programs do; exit code 4 and one line per mistake when they would refuse."""
    from htbot.bootstrap.limits import risk_limits
    from htbot.bootstrap.mail import build_channels
    from htbot.bootstrap.strategy import build_strategy

    read = settings()
    channels = build_channels(read)
    strategy = build_strategy(read)
    limits = risk_limits(read, read.strategy.symbol)
    facts: dict[str, Any] = {
        "ok": True,
        "mode": read.mode,
        "broker": f"{read.ib.host}:{read.ib.port}",
        "account": read.ib.account,
        "strategy": f"{strategy.name} on {strategy.needs.symbol}, config {strategy.config_hash}",
        "strategy_enabled": read.strategy_enabled,
        "max_risk_per_day_usd": limits.max_risk_per_day_usd,
        "database": "embedded" if read.database.embedded else "configured",
        "redis": "embedded" if read.redis.embedded else "configured",
        "alerts": [channel.name for channel in channels],
        "var": str(read.paths.var),
        "kill_switch_file": str(read.paths.kill_switch_file),
    }
    if as_json:
        print_json(facts)
    else:
        print_facts((name, ", ".join(value) if isinstance(value, list) else value) for name, value in facts.items())


@db.command("upgrade")
def upgrade(as_json: Json = False) -> None:
    """Bring the record to the newest revision; does nothing when it is there."""
    from sqlalchemy.exc import OperationalError

    from htbot.bootstrap.install.migrate import see_to_roles
    from htbot.persistence import migrations

    read = settings()
    url = read.database.url
    try:
        before = migrations.current_revision(url)
        migrations.upgrade(url)
        see_to_roles(read)
        after = migrations.current_revision(url)
    except OperationalError as error:
        raise NotRunning(f"PostgreSQL does not answer: {' '.join(str(error.orig).split())}") from error
    if as_json:
        print_json({"before": before, "after": after})
    else:
        print(f"the record is at revision {after}" + ("" if before == after else f", it was at {before or 'none'}"))


@token.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who or what will use it.")],
    role: Annotated[TokenRole, typer.Option(help="viewer looks, operator acts, admin manages.")] = TokenRole.viewer,
    as_json: Json = False,
) -> None:
    """Make a token and print it, this once; only its hash is kept. Running APIs know it when it is printed."""
    from htbot.services.tokens import Role

    with people() as opened:
        minted = opened.tokens.mint(name, Role(role.value), actor())
    _let_it_be_known()
    if as_json:
        print_json({"name": name, "role": role.value, "token": minted})
    else:
        print(minted)


@token.command("list")
def list_tokens(as_json: Json = False) -> None:
    """Tokens that count besides the first one, which stands in .env."""
    with people() as opened:
        found = [{"name": one.name, "role": one.role, "created_at": one.created_at} for one in opened.tokens.active()]
    if as_json:
        print_json(found)
    else:
        print_table("Tokens", ("name", "role", "created (New York)"), (list(one.values()) for one in found))


@token.command("revoke")
def revoke(name: Annotated[str, typer.Argument(help="Name of a token.")], as_json: Json = False) -> None:
    """End a token; running APIs have forgotten it when this returns."""
    with people() as opened:
        opened.tokens.revoke(name, actor())
    _let_it_be_known()
    if as_json:
        print_json({"revoked": name})
    else:
        print(f"token {name} is revoked")


def _let_it_be_known() -> None:
    """Wait until every API has read the tokens again, so that a script may use a new one at once."""
    from htbot.services.doorman import REFRESH_S

    time.sleep(2 * REFRESH_S)
