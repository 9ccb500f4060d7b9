from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.search import SearchWorld, write_market

from htbot.backtest.optimize import told
from htbot.backtest.optimize.goal import outcome_of
from htbot.backtest.optimize.page import page_html
from htbot.backtest.optimize.trial import Ground, Trial
from htbot.backtest.optimize.walk import chosen
from htbot.backtest.optimize.windows import Window
from htbot.bootstrap import optimize as root
from htbot.bootstrap.optimize import OptimizeOptions, optimize, run_trial
from htbot.bootstrap.research import backtest
from htbot.bootstrap.research_options import BacktestOptions
from htbot.domain.errors import CallerMistake, ConfigurationError, HtbotError, NotFound

GRID = ("every=3,5,8", "hold=1,4")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchWorld]:
    made = SearchWorld(tmp_path_factory.mktemp("search"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in made.environ.items():
            patch.setenv(name, value)
        root._place.cache_clear()
        root._tape.cache_clear()
        yield made
    root._place.cache_clear()
    root._tape.cache_clear()


@pytest.fixture
def asked(world: SearchWorld, tmp_path: Path) -> OptimizeOptions:
    trial = BacktestOptions(strategy="ticktock", data=(world.data,), symbol="SPY", engine="events")
    return OptimizeOptions(trial, grid=GRID, folds=3, jobs=1, metric="net_pnl", study=tmp_path / "study.jsonl")


def changed(asked: OptimizeOptions, **changes: object) -> OptimizeOptions:
    return replace(asked, backtest=replace(asked.backtest, **changes))  # type: ignore[arg-type]


def test_a_trial_is_the_backtest_of_its_window(world: SearchWorld) -> None:
    window = Window(date(2022, 1, 6), date(2022, 1, 14), 7)
    ground = Ground("ticktock", (str(world.data),), "SPY", engine="events", fixed=(("quantity", "7"),))
    found = run_trial(Trial(ground, window, (("every", "5"), ("hold", "2"))))
    whole = backtest(
        BacktestOptions(
            strategy="ticktock",
            data=(world.data,),
            symbol="SPY",
            start=window.first,
            end=window.last,
            engine="events",
            settings={"quantity": "7", "every": "5", "hold": "2"},
        )
    )
    assert found.trades == len(whole.trades) > 5
    assert found.values == outcome_of(whole).values


def test_the_headline_is_every_unseen_window_with_the_settings_chosen_before_it(asked: OptimizeOptions) -> None:
    found = optimize(asked)
    assert (found.trials, found.ran, found.walk_forward) == (18, 18, True)
    days = found.headline.curve.days
    assert list(days) == sorted(set(days))
    gained = Decimal(0)
    for fold in found.folds:
        best = chosen(found.plan, fold)
        assert best is not None
        assert best.unseen is not None
        assert fold.fold.unseen is not None
        nets = [one.train.values["net_pnl"] or 0.0 for one in fold.entrants]
        assert nets[0] == max(nets)
        window = fold.fold.unseen
        assert sum(window.first <= day <= window.last for day in days) == window.sessions
        net = best.unseen.values["net_pnl"]
        assert net is not None
        gained += Decimal(str(net))
    assert len(days) == sum(fold.fold.unseen.sessions for fold in found.folds if fold.fold.unseen)
    assert found.headline.curve.equity[-1] == 100_000 + gained
    assert min(trade.opened_at.date() for trade in found.headline.trades) >= days[0]


def test_what_comes_after_a_window_changes_none_of_its_trials(
    world: SearchWorld, asked: OptimizeOptions, tmp_path: Path
) -> None:
    other = write_market(tmp_path / "other.csv", 18, seed=6).read_text().splitlines()
    mine = world.data.read_text().splitlines()
    cut = next(number for number, line in enumerate(mine) if line.startswith("2022-01-19"))
    mixed = tmp_path / "mixed.csv"
    mixed.write_text("\n".join([*mine[:cut], *other[cut:]]) + "\n")
    before = optimize(asked)
    after = optimize(replace(changed(asked, data=(mixed,)), study=tmp_path / "mixed.jsonl"))
    same = [fold.fold.train.last < date(2022, 1, 19) for fold in before.folds]
    assert same == [True, True, False]
    for fold, again, untouched in zip(before.folds, after.folds, same, strict=True):
        pairs = [{one.settings: one.train.values for one in trials.entrants} for trials in (fold, again)]
        assert (pairs[0] == pairs[1]) is untouched


def test_without_walk_forward_it_is_the_best_trial_and_says_so(asked: OptimizeOptions) -> None:
    found = optimize(replace(asked, walk_forward=False))
    assert not found.walk_forward
    assert found.trials == 6
    best = found.folds[0].entrants[0]
    assert outcome_of(found.headline).values == best.train.values
    facts = dict(told.facts(found))
    assert facts["result"].startswith("IN SAMPLE ONLY")
    assert told.as_json(found)["sample"].startswith("IN SAMPLE ONLY")
    page = page_html(found)
    assert "<strong>In sample only.</strong>" in page
    assert "This is the best of 6 trials" in page


def test_the_page_has_the_trials_and_both_pictures(asked: OptimizeOptions) -> None:
    page = page_html(optimize(asked))
    assert "out of sample" in page
    assert "Best of 18 trials in 3 folds" in page
    assert "This is the best of" not in page, "the joined windows were chosen without them"
    assert page.count('class="cell s') == 6
    assert 'aria-label="net_pnl in sample against net_pnl on unseen sessions"' in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_same_again_runs_nothing_and_ends_the_same(asked: OptimizeOptions, world: SearchWorld) -> None:
    first = optimize(asked)
    starts = len(world.starts)
    again = optimize(asked)
    assert (again.ran, again.trials) == (0, 18)
    assert len(world.starts) == starts + 3, "the chosen settings once more, for their trades"
    assert again.folds == first.folds
    assert again.headline.trades == first.headline.trades


def test_a_sampler_goes_on_where_it_was(asked: OptimizeOptions, tmp_path: Path) -> None:
    search = replace(asked, grid=(), search=("every=2:60", "hold=1:40:log"), trials=20)
    whole = optimize(search)
    assert whole.trials == 60
    path = tmp_path / "cut.jsonl"
    lines = (tmp_path / "study.jsonl").read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:30]) + lines[30][:40])
    again = optimize(replace(search, study=path))
    assert again.ran == 60 - sum(b'"unseen":false' in line for line in lines[1:30])
    assert again.folds == whole.folds


def test_combinations_that_the_strategy_does_not_take_are_left_out_and_counted(asked: OptimizeOptions) -> None:
    found = optimize(replace(asked, grid=("every=5,99", "hold=1,2")))
    assert (found.left_out, found.trials) == (2, 6)
    assert "2 combinations left out" in told.trials_told(found)
    with pytest.raises(ConfigurationError, match="every=99 is out of range: anything but 99"):
        optimize(replace(asked, grid=("every=99",)))


def test_a_fold_where_nothing_is_worth_a_choice_trades_nothing(asked: OptimizeOptions) -> None:
    found = optimize(replace(asked, grid=("every=9",), minimum_trades=10))
    idle = [fold.fold for fold in found.folds if chosen(found.plan, fold) is None]
    assert [fold.number for fold in idle] == [1]
    assert idle[0].unseen is not None
    flat = found.headline.curve.equity[: idle[0].unseen.sessions]
    assert set(flat) == {Decimal(100_000)}
    assert found.headline.assumptions["idle windows"].startswith("1: nothing was traded")
    with pytest.raises(HtbotError, match="nothing to choose: no trial of this fold has the minimum of trades"):
        optimize(
            replace(asked, grid=("every=9",), minimum_trades=1000, study=asked.study and asked.study.with_name("b"))
        )


def test_other_data_or_another_metric_refuse_the_study(asked: OptimizeOptions, tmp_path: Path) -> None:
    optimize(asked)
    other = write_market(tmp_path / "other.csv", 18, seed=6)
    with pytest.raises(ConfigurationError, match=r"study\.jsonl has another data checksum: \w+ there, \w+ now; give"):
        optimize(changed(asked, data=(other,)))
    with pytest.raises(ConfigurationError, match="another metric: net_pnl there, sharpe now"):
        optimize(replace(asked, metric="sharpe"))
    with pytest.raises(ConfigurationError, match="another windows"):
        optimize(replace(asked, folds=4))
    with pytest.raises(ConfigurationError, match="another settings"):
        optimize(changed(asked, settings={"quantity": "3"}))


def test_the_same_question_has_the_same_file(asked: OptimizeOptions, world: SearchWorld) -> None:
    unnamed = replace(asked, study=None)
    first, wider, other = (
        optimize(one).study for one in (unnamed, replace(unnamed, grid=("every=4",)), replace(unnamed, metric="sharpe"))
    )
    assert first == wider != other
    assert first.parent == world.var / "studies"
    assert first.name.startswith("ticktock-SPY-")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"grid": ()}, "say what to search"),
        ({"search": ("every=2:9",)}, "say what to search"),
        ({"grid": (), "search": ("every=2:9",)}, "--search needs --trials N"),
        ({"trials": 5}, "--trials goes with --search"),
        ({"grid": ("every=0,5",)}, "every=0 is out of range: 1 to 100"),
        ({"grid": (), "search": ("hold=1:500",), "trials": 5}, "hold=500 is out of range: 1 to 100"),
        ({"grid": ("every=1", "every=2")}, "every is searched twice"),
        ({"metric": "profit"}, "--metric profit: no such metric: did you mean profit_factor"),
        ({"folds": 18}, "18 sessions are too few for 18 folds"),
    ],
)
def test_mistakes_are_refused_before_the_first_trial(
    asked: OptimizeOptions, world: SearchWorld, changes: dict[str, object], line: str
) -> None:
    starts = len(world.starts)
    with pytest.raises(ConfigurationError) as mistake:
        optimize(replace(asked, **changes))  # type: ignore[arg-type]
    assert str(mistake.value).startswith(line)
    assert len(world.starts) == starts
    assert asked.study is not None
    assert not asked.study.exists()


def test_strategies_that_are_none_or_trade_options_are_refused(asked: OptimizeOptions) -> None:
    with pytest.raises(NotFound, match="did you mean ticktock"):
        optimize(changed(asked, strategy="ticktok"))
    with pytest.raises(CallerMistake, match="trades options"):
        optimize(changed(asked, strategy="spx_breakout"))


def test_a_strategy_that_breaks_is_told_with_its_settings(asked: OptimizeOptions, world: SearchWorld) -> None:
    path = world.strategies / "ticktock.py"
    text = path.read_text()
    try:
        path.write_text(text.replace("self.bars += 1", "self.bars += 1 // (self.config.hold - 4)"))
        root._place.cache_clear()
        with pytest.raises(HtbotError, match="ticktock with every=3 hold=4: ZeroDivisionError"):
            optimize(asked)
    finally:
        path.write_text(text)
        root._place.cache_clear()
