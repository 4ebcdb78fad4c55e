"""What leads through the course: questions and their answers, where to begin, what the machine can do, the progress."""
