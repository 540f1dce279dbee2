"""For tests: of drivers (`riverqueue.testing.conformance`)."""
