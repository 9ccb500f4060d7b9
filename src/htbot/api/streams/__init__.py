"""WebSockets: what clients say, one session each, and the connection below it."""
