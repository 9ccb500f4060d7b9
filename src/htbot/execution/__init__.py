"""From an approval to flat: intents, their states, the walk of the limit, exits and reconciliation. Pure decisions."""
