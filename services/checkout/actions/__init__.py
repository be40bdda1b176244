"""What checkout does: load, decide, save, announce. A file per noun."""
