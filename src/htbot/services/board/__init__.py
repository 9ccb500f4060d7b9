"""The picture of the system that REST, WebSockets and dashboard of one process share, and how it is kept fresh."""
