"""Options of one group."""
