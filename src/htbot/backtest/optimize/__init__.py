"""Search of a strategy's settings: windows, trials, the study file that survives a kill, and what came of it.

A trial is a plain function of its arguments; who runs it (a pool of processes, a queue) is given from outside.
"""
