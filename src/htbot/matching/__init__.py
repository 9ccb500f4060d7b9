"""Rules shared by the paper gateway and the backtest: when and where orders fill, what they cost, what they tie up."""
