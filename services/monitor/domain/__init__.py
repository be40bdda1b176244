"""What the monitor decides, without a clock, a database or a network: values in, values out."""
