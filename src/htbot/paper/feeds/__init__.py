"""What flows to clients after they asked: quote lines, ticks, depth, bars, scanners."""
