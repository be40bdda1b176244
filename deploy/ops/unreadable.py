"""What is wrong with a file as a whole."""


class Unreadable(Exception):
    """The file can't be used; the message names the place and what to do."""
