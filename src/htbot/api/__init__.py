"""REST: looks, and writes down what a person wants; the desk acts (INTERFACE, REST)."""
