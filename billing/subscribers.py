"""Turns events into rows and nudges."""
