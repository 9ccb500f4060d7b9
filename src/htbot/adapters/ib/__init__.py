"""Interactive Brokers through ib_async: one session, translated to and from htbot's own words."""
