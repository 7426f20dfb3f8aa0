package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"time"

	"corpus/programs/internal/corpus"
)

// unread checks the status and forgets the body.
func unread(address string) {
	corpus.EachPace(func(int) { get(http.DefaultClient, address) })
}

// unreadOnAndOn does not stop after the usual number of leaks.
func unreadOnAndOn(address string) {
	unread(address)
	go func() {
		for {
			time.Sleep(corpus.Pace())
			get(http.DefaultClient, address)
		}
	}()
}

// decodeOnly decodes one value from the body and neither reads it to EOF nor closes it.
func decodeOnly(address string) {
	corpus.EachPace(func(int) {
		var answer struct{ Text string }
		corpus.Must(json.NewDecoder(get(http.DefaultClient, address).Body).Decode(&answer))
	})
}

// poolPerRequest creates a transport for each request, with a pool that is never used again.
func poolPerRequest(address string) {
	corpus.EachPace(func(int) {
		response := get(&http.Client{Transport: &http.Transport{}}, address)
		_, err := io.Copy(io.Discard, response.Body)
		corpus.Must(err)
		corpus.Must(response.Body.Close())
	})
}

// connections keeps connections that the garbage collector would close otherwise.
var connections []net.Conn

// raw sends a request over a connection of its own and forgets the connection.
func raw(address string) {
	corpus.EachPace(func(int) {
		connection, err := net.Dial("tcp", hostOf(address))
		corpus.Must(err)
		_, err = io.WriteString(connection, requestFor(address))
		corpus.Must(err)
		connections = append(connections, connection)
	})
}

// countingConn wraps a connection, as tracing and metrics libraries do.
type countingConn struct {
	label string
	net.Conn
	read, written int64
}

func (counting *countingConn) Read(buffer []byte) (int, error) {
	length, err := counting.Conn.Read(buffer)
	counting.read += int64(length)
	return length, err
}

func (counting *countingConn) Write(buffer []byte) (int, error) {
	length, err := counting.Conn.Write(buffer)
	counting.written += int64(length)
	return length, err
}

// wrapped forgets bodies, as unread does, over connections that its own dialer wraps.
func wrapped(address string) {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	dial := func(ctx context.Context, network, host string) (net.Conn, error) {
		connection, err := dialer.DialContext(ctx, network, host)
		if err != nil {
			return nil, err
		}
		return &countingConn{label: host, Conn: connection}, nil
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial}}
	corpus.EachPace(func(int) { get(client, address) })
}

// amongGoroutines forgets bodies in a program of many goroutines, which move their stacks.
func amongGoroutines(address string) {
	for index := 0; index < 5_000; index++ {
		go wander(index)
	}
	unread(address)
}

// wander sleeps at varying depths of its stack.
func wander(index int) {
	for step := 0; ; step++ {
		descend(1 + (index+step)%200)
		time.Sleep(time.Duration(500+index%1_000) * time.Millisecond)
	}
}

func descend(depth int) byte {
	var frame [256]byte
	frame[depth%len(frame)] = byte(depth)
	if depth > 0 {
		frame[0] += descend(depth - 1)
	}
	return frame[0]
}
