"""The SQL of checkout, one function per statement; a file per noun."""
