"""Training with several processes: `launching` starts and ends them, `digits` is what each of them runs."""
