"""`python -m services.monitor`: watches the others, tells people. Settings come from MONITOR_… in the environment."""

from services.monitor.app import SERVICE, make
from services.monitor.settings import MonitorSettings
from shared import logs, tracing
from shared.settings import load
from shared.web import run

if __name__ == "__main__":
    settings = load(MonitorSettings)
    logs.configure(SERVICE, settings.log_level, settings.instance)
    tracing.configure(SERVICE, settings.instance, settings.otlp_url)
    run(make(settings), settings)
