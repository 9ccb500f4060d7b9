"""`htbot chaos`: the real stack under a load of trades while its parts are killed, frozen and cut off.

`schedule` draws the faults from a seed, `faults` makes them happen, `proxy` stands between desk and gateway, `load`
asks for entries and closes, `health` times recovery, `verdict` compares the two books at the end, `run` puts all of it
together.
"""
