"""Simulated OCPP 1.6J chargers for the demo, the stories and the bench.

A black box: nothing here imports the product, so that a mistake shared by both sides cannot hide.
`charger.py` is the door; `wire.py` the socket, `outbox.py` the offline queue, `outlet.py` the hardware,
`reactions.py` what the station does when it is told something.
"""
