"""OCPP 2.0.1 and 2.1 together: 2.1 removes nothing of 2.0.1. `routes.py` is the contents page."""
