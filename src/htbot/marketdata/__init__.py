"""Market data as decisions see it: sessions, bars, quotes, chains, and one snapshot per instant."""
