"""The errors Openshelf raises on purpose.

    OpenshelfError            exit code 1: something went wrong; the message says what to do
    +-- UsageError            exit code 2: the command or a setting is wrong
    |   +-- SettingsError
    +-- DatabaseError         Postgres is away, full, or of another schema
    |   +-- SchemaError
    +-- BrokerError           the Kafka-protocol broker is away or refuses
    +-- IngestError           foreign data cannot be read; nothing was written
    +-- ModelError            a model artefact cannot be trusted; the old one stays
    +-- NotAllowedError       this account may not do that
    +-- TooOftenError         tried too often; it may be tried again at `until`

A message is one line: what is wrong, then what to do.
"""

from datetime import datetime


class OpenshelfError(Exception):
    exit_code = 1


class UsageError(OpenshelfError):
    exit_code = 2


class SettingsError(UsageError):
    pass


class DatabaseError(OpenshelfError):
    pass


class SchemaError(DatabaseError):
    pass


class BrokerError(OpenshelfError):
    pass


class IngestError(OpenshelfError):
    pass


class ModelError(OpenshelfError):
    pass


class NotAllowedError(OpenshelfError):
    pass


class TooOftenError(OpenshelfError):
    def __init__(self, until: datetime) -> None:
        super().__init__(f"tried too often; try again after {until:%H:%M:%S} UTC")
        self.until = until
