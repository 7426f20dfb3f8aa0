"""A pool of connections to a database that closes idle ones after 5 s, used in bursts of random size, half of them of full size.

--to redis      redis-py's pool of 50 (LIFO), before a redis-server on PORT + 1 with `timeout 5`
--to postgres   a pool made of psycopg2 connections, as SQLAlchemy's with `pool_pre_ping`, before a PostgreSQL server on
                PORT + 1 with `idle_session_timeout = 5s`
--leak          in addition to the bursts, queries fail one by one, and their connections are not returned, 25 times
"""

import argparse
import queue
import time
from concurrent.futures import ThreadPoolExecutor

import zoo

SIZE = 50
lost = []


class Redis:
    def __init__(self):
        import redis

        self.pool = redis.ConnectionPool(host="127.0.0.1", port=zoo.PORT + 1)

    def take(self):
        return self.pool.get_connection()

    def give_back(self, connection):
        self.pool.release(connection)

    def query(self, connection, hold):
        connection.send_command("PING")
        connection.read_response()
        time.sleep(hold)

    def close(self, connection):
        connection.disconnect()
        self.pool.release(connection)


class Postgres:
    def __init__(self):
        import psycopg2

        self.error = psycopg2.Error
        self.idle = queue.LifoQueue()
        self.connect = lambda: psycopg2.connect(
            host="127.0.0.1", port=zoo.PORT + 1, user="postgres", dbname="postgres", sslmode="disable"
        )

    def take(self):
        try:
            connection = self.idle.get_nowait()
        except queue.Empty:
            return self.connect()
        try:
            self.query(connection, 0)
        except self.error:
            # Closed by the server: another one takes its place.
            connection.close()
            connection = self.connect()
        return connection

    def give_back(self, connection):
        self.idle.put(connection)

    def query(self, connection, hold):
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("select pg_sleep(%s)", (hold,))
            cursor.fetchall()

    def close(self, connection):
        connection.close()


def use(pool):
    connection = pool.take()
    pool.query(connection, 0.3)
    pool.give_back(connection)


def fail(pool, leak):
    while not leak or len(lost) < zoo.LEAKS:
        time.sleep(zoo.SLOW_PACE)
        connection = pool.take()
        pool.query(connection, 0)
        if leak:
            lost.append(connection)
            zoo.event(zoo.KEEP)
        else:
            pool.close(connection)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", choices=["redis", "postgres"])
    parser.add_argument("--leak", action="store_true")
    options = parser.parse_args()
    pool = Redis() if options.to == "redis" else Postgres()
    zoo.in_thread(fail, pool, options.leak)
    is_over = False
    with ThreadPoolExecutor(SIZE) as workers:
        while True:
            had_all = len(lost) == zoo.LEAKS
            depth = zoo.depth(1, SIZE)
            list(workers.map(use, [pool] * depth))
            if had_all and depth == SIZE and not is_over:
                # This burst shows that the pool does not use the leaked connections.
                is_over = True
                zoo.event(zoo.KEEP)
            zoo.between(zoo.IDLE, 3 * zoo.IDLE)


main()
