"""A FastAPI application that inserts jobs in its requests' transactions."""
