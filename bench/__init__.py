"""The bench: load generator, references and the figures of the performance page. See README.md."""
