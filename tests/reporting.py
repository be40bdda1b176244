"""What the suite says of what it is doing, beside pytest's own lines."""

from collections.abc import Callable

import pytest


def reporting(config: pytest.Config) -> Callable[[str], None]:
    """What writes a line for the person who watches; nothing does in a process that nobody sees."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")

    def report(line: str) -> None:
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(line)

    return report
