"""The exercises: what a problem is, how an answer is judged, and one module of problems per lesson."""
