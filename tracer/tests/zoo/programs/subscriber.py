"""Subscribers and a publisher of a redis-server on PORT + 1, in one process.

Twenty subscribers read every message. A further one renews its subscription every fifth of `--idle`.

--leak   it forgets the connection of the old subscription, 25 times; redis continues to send to it
"""

import time

import redis

import zoo

OPTIONS = zoo.arguments(("subscribers", 20))
kept = []


def client():
    return redis.Redis(host="127.0.0.1", port=zoo.PORT + 1)


def subscribe():
    subscription = client().pubsub()
    subscription.subscribe("news")
    return subscription


def listen():
    for _ in subscribe().listen():
        pass


def publish():
    publisher = client()
    while True:
        publisher.publish("news", "n" * 2000)
        time.sleep(zoo.IDLE / 20)


def main():
    for _ in range(OPTIONS.subscribers):
        zoo.in_thread(listen)
    zoo.in_thread(publish)
    while True:
        subscription = subscribe()
        end = time.monotonic() + zoo.PACE
        while time.monotonic() < end:
            subscription.get_message(timeout=zoo.PACE / 10)
        if OPTIONS.leak:
            kept.append(subscription)
            zoo.event()
            if len(kept) == zoo.LEAKS:
                break
        else:
            subscription.close()
    zoo.forever()


main()
