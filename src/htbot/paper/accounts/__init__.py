"""The money of the accounts: trades booked, positions and cash valued, credit given, days closed."""
