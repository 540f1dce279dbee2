"""What ``riverqueue work`` is made of; imported when it runs."""
