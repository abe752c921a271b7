"""What lines of statements and operations of ours are. Pure: no framework, no clock, no query."""
