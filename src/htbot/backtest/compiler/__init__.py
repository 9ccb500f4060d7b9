"""From the source of a `Numeric` class to compiled code: the same methods, as functions over records of numbers."""
