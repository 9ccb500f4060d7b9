"""Everything outside: brokers, data files, calendars, mail. The only place for their libraries."""
