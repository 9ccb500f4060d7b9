"""Reads for people: the record as the shapes that REST and CLI show. Nothing here decides anything."""
