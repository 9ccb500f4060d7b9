"""Rules shared by the paper gateway and the backtest: when and where orders fill, what they cost, what they tie up.

`look.look` is the way in for fills: it takes an order's `terms.Terms` and `terms.Progress`, its legs, a `view.View` of
the market and `view.FillRules`, and gives a `terms.Outcome`. `triggers.is_held` tells which orders wait, PreSubmitted.
"""
