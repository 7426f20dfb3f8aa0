"""A client that opens a connection for each request; every fourth request fails with status 500.

It closes the connection after each success, and after a failure only in `finally`, which is missing in the twin: the
error that it keeps for its report refers to the connection.

--leaks N     how many leak; after these, it continues and closes all of them, as after a change of the configuration
--pace F      the time between two failures, in `--idle`
"""

import http.client
import time

import zoo

OPTIONS = zoo.arguments(("leaks", zoo.LEAKS), ("pace", 0.2))


class Failed(Exception):
    pass


def check(path, leak):
    connection = http.client.HTTPConnection("127.0.0.1", zoo.PORT + 1, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status >= 500:
            raise Failed(response)
        response.read()
        connection.close()
    finally:
        if not leak:
            connection.close()


def main():
    errors = []
    step = zoo.IDLE * OPTIONS.pace / 4
    while True:
        for _ in range(3):
            check("/bytes?n=200", leak=False)
            time.sleep(step)
        leak = OPTIONS.leak and len(errors) < OPTIONS.leaks
        try:
            check("/error", leak)
        except Failed as error:
            if leak:
                errors.append(error)
                zoo.event(zoo.KEEP)
        time.sleep(step)


main()
