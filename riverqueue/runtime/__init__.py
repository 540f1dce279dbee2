"""The worker: what runs on the event loop while a client works jobs. It knows no driver, only a `Store`."""
