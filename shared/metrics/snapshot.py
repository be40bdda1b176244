"""A registry as bytes: what a process publishes every few seconds, and what the monitor reads back."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import METRIC_LABEL_NAME_RE, METRIC_NAME_RE
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from shared.metrics.registry import REGISTRY
