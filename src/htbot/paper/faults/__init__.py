"""Scripted bad days: what may go wrong between a client and IB, made to happen on purpose.

`kinds` holds every fault as data, `reading` and `script` read them, `plan` remembers which are armed, `conduct` makes
them happen in the gateway, `control` and `talk` are the two ends of the control port.
"""
