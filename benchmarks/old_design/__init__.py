"""The design that Openshelf replaces, rebuilt small, so that both can be measured side by side.

Readers' clicks come over Kafka; a Quix Streams consumer adds what each is worth, keeps them in Redis and sends the
session's last five to a FastAPI service, whose policy network ranks all books; the five best go to Redis, where the
web site finds them. `measure` starts it, plays acts and prints figures; `environment` installs what it needs.

Its speed hangs on choices that `consumer` and `service` name.
"""
