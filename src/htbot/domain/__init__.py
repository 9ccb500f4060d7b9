"""The nouns of the system: pure, immutable, standard library only."""
