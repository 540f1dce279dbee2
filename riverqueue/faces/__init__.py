"""What a client can do, noun by noun; `riverqueue.Client` and `riverqueue.AsyncClient` put it together."""
