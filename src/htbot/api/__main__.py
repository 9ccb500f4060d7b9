"""`python -m htbot.api`: the REST process."""

from __future__ import annotations

import signal
import sys

from htbot.api.app import make_app
from htbot.api.parts import ApiParts
from htbot.api.server import Place, make_server
from htbot.bootstrap.api import ApiProcess, build_api
from htbot.dashboard.application import build_dashboard
from htbot.domain.errors import ConfigurationError
from htbot.services.board.board import Board
from htbot.services.board.feed import Feed
from htbot.services.doorman import Brake, Doorman, Rounds, TokenBook
from htbot.settings import load_settings
from htbot.telemetry.logs import configure_logging
from htbot.telemetry.masking import hide_secret

CONFIGURATION_EXIT = 4


def assemble(process: ApiProcess, rounds: Rounds) -> ApiParts:
    """The parts of the application from those of the process."""
    people = process.people
    feed = Feed(people.readings, Board())
    doorman = Doorman(rounds.book, Brake(rounds.note_lockout), rounds.note_visit, rounds.age_s)
    return ApiParts(
        queries=people.queries,
        commands=people.commands,
        settling=people.settling,
        manual_signals=people.manual_signals,
        strategies=people.strategies,
        strategy_reads=people.strategy_reads,
        scheduler=people.scheduler,
        listings=people.listings,
        risk_rules=people.risk_rules,
        broker=people.broker,
        audit=people.audit,
        performance=people.performance,
        prices=people.prices,
        freqtrade=people.freqtrade,
        monitoring=people.monitoring,
        trading=people.trading,
        backtests=people.backtests,
        programs=people.programs,
        logs=people.logs,
        metrics=people.metrics.page,
        doorman=doorman,
        hosts=process.hosts,
        url=process.url,
        feed=feed,
        dashboard=build_dashboard(people, doorman, process.token, feed, process.run),
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
    rounds = Rounds(TokenBook(process.token, tokens.active), tokens.tell_lockout, process.people.visits.write)
    place = Place(process.host, process.port, process.certificate, process.key)
    server = make_server(make_app(assemble(process, rounds), background=True), place)
    rounds.start()
    signal.signal(signal.SIGTERM, _end)  # the server raises it anew once it has shut down
    try:
        server.run()
    finally:
        rounds.stop()
        process.people.database.close()
    return 0


def _end(_number: int, _frame: object) -> None:
    """Whoever was asked to end, and has, did not crash: the alarm tells people of any other exit code."""
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(serve())
