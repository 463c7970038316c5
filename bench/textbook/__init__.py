"""The textbook reference: what a competent Django team writes in its first week.

A Channels consumer hosts the `ocpp` package's ChargePoint; every message is one ORM transaction in one hop to
a thread, with a persistent connection and no channel layer. Nothing in it is slowed down on purpose, and it
does less than the product: no commands, no epochs, no review, no events.
"""
