"""Programs that use riverqueue; each is run by a test."""
