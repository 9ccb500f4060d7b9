"""Strategies: one file each, pure, written against `base`, listed in `registry`."""
