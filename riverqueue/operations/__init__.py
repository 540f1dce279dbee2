"""What River does, as generators of statements: no driver, no clock, no I/O."""
