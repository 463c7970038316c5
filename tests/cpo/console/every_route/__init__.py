"""Every route of the console, on a network that is built once."""
