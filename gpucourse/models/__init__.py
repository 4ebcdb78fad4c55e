"""Networks that the lessons build in view, as PyTorch modules."""
