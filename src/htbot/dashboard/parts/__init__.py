"""Small shared pieces of the pages: numbers, markup, tables, pictures."""
