"""A simulated OCPP 2.0.1 or 2.1 charging station, on the sockets, clocks and outlets of `cpo.simulator`.

It imports nothing of the product either: it knows the specification and what stations of the field do.
"""
