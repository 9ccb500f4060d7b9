"""Risk: an ordered list of rules between a signal and an intent. The first refusal wins; missing data refuses."""
