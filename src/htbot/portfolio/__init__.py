"""What is held and what it is worth: marks, positions and P&L, all recomputable from quotes and fills."""
