"""Request bodies. What is answered are the shapes of `htbot.persistence.queries.shapes` and of the services."""
