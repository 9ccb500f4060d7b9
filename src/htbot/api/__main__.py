"""`python -m htbot.api`: the REST process."""

from __future__ import annotations

import sys

import uvicorn

from htbot.api.app import make_app
from htbot.api.parts import ApiParts
from htbot.bootstrap.api import ApiProcess, build_api
from htbot.dashboard.application import build_dashboard
from htbot.domain.errors import ConfigurationError
from htbot.services.doorman import Brake, Doorman, Rounds, TokenBook
from htbot.settings import load_settings
from htbot.telemetry import configure_logging, hide_secret

CONFIGURATION_EXIT = 4
_LARGEST_HEAD = 16 * 1024
_MOST_CONNECTIONS = 200


def assemble(process: ApiProcess, rounds: Rounds) -> ApiParts:
    """The parts of the application from those of the process."""
    people = process.people
    doorman = Doorman(rounds.book, Brake(rounds.note_lockout))
    return ApiParts(
        queries=people.queries,
        commands=people.commands,
        manual_signals=people.manual_signals,
        strategies=people.strategies,
        strategy_reads=people.strategy_reads,
        scheduler=people.scheduler,
        metrics=people.metrics.page,
        doorman=doorman,
        hosts=process.hosts,
        url=process.url,
        dashboard=build_dashboard(people, doorman, process.token),
    )


def serve() -> int:
    """Serve until SIGTERM or SIGINT; the process's exit code."""
    try:
        settings = load_settings()
        process = build_api(settings)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return CONFIGURATION_EXIT
    configure_logging("api", level=settings.paths.log_level)
    hide_secret(process.token)
    tokens = process.people.tokens
    rounds = Rounds(TokenBook(process.token, tokens.active), tokens.tell_lockout)
    config = uvicorn.Config(
        make_app(assemble(process, rounds)),
        host=process.host,
        port=process.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        http="h11",
        h11_max_incomplete_event_size=_LARGEST_HEAD,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
    )
    rounds.start()
    try:
        uvicorn.Server(config).run()
    finally:
        rounds.stop()
        process.people.database.close()
    return 0


if __name__ == "__main__":
    sys.exit(serve())
