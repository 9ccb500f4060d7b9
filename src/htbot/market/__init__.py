"""The worlds that the paper gateway can play: replay of recorded data and a seeded synthetic market."""
