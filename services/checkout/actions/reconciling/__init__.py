"""Comparing ourselves with Stripe, in three passes: events, objects, balance. What is safe is put right.

A run walks through its stages page by page and writes down how far it has come, so that a crash, a silent Stripe or
a spent budget costs a page read twice and nothing else. What it repairs takes the way that events take.
"""
