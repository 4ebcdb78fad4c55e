"""From a trained network to one that others use: exported to a file, or answering questions over HTTP."""
